// REQ and LAP, the messages with paths (IBTA vol 1, 12.6.5 and 12.8.1). Offsets behind the MAD header:
//
//   REQ  0 local comm id | 8 service id (8) | 16 local CA GUID (8) | 28 local Q_Key
//       32 local QPN 24, responder resources 8 | 36 local EECN 24, initiator depth 8
//       40 remote EECN 24, remote response timeout 5, transport 2, flow control 1
//       44 starting PSN 24, local response timeout 5, retry count 3 | 48 P_Key
//       50 path MTU 4, RDC exists 1, RNR retry 3 | 51 max CM retries 4, SRQ 1, extended transport 3
//       52 primary path | 96 alternate path | 140 private data (92)
//   path 0 local LID | 2 remote LID | 4 local GID | 20 remote GID | 36 flow label 20, reserved 6, rate 6
//       40 traffic class | 41 hop limit | 42 SL 4, subnet local 1 | 43 ACK timeout 5
//   LAP  0 local comm id | 4 remote comm id | 12 remote QPN 24, remote response timeout 5 | 20 LIDs and GIDs as above
//       56 flow label 20, reserved 4, traffic class 8 | 60 hop limit | 61 rate (low 6) | 62 SL 4, subnet local 1
//       63 ACK timeout 5 | 64 private data (168)
#include "cm/message_fields.h"

namespace rocelab::cm {

namespace {

constexpr std::size_t kPrimaryAt = 52, kAlternateAt = 96, kReqPrivateAt = 140;
constexpr std::size_t kLapPathAt = 20, kLapPrivateAt = 64;

void read_ends(const FieldReader& from, std::size_t at, RequestPath& path) {
  path.local_lid = from.u16(at);
  path.remote_lid = from.u16(at + 2);
  path.local_gid = from.gid(at + 4);
  path.remote_gid = from.gid(at + 20);
  path.flow_label = from.u24(at + 36) >> 4;
}

void write_ends(FieldWriter& to, std::size_t at, const RequestPath& path) {
  to.u16(at, path.local_lid);
  to.u16(at + 2, path.remote_lid);
  to.gid(at + 4, path.local_gid);
  to.gid(at + 20, path.remote_gid);
  to.u24(at + 36, path.flow_label << 4);
}

RequestPath read_path(const FieldReader& from, std::size_t at) {
  RequestPath path;
  read_ends(from, at, path);
  path.packet_rate = from.bits(at + 39, 6, 0);
  path.traffic_class = from.u8(at + 40);
  path.hop_limit = from.u8(at + 41);
  path.service_level = from.bits(at + 42, 4, 4);
  path.subnet_local = from.bit(at + 42, 3);
  path.ack_timeout = from.bits(at + 43, 5, 3);
  return path;
}

void write_path(FieldWriter& to, std::size_t at, const RequestPath& path) {
  write_ends(to, at, path);
  to.bits(at + 39, 6, 0, path.packet_rate);
  to.u8(at + 40, path.traffic_class);
  to.u8(at + 41, path.hop_limit);
  to.bits(at + 42, 4, 4, path.service_level);
  to.bits(at + 42, 1, 3, path.subnet_local);
  to.bits(at + 43, 5, 3, path.ack_timeout);
}

}  // namespace

void read(const FieldReader& from, Req& req) {
  req.local_comm_id = from.u32(0);
  req.service_id = from.u64(8);
  req.local_ca_guid = from.u64(16);
  req.local_qkey = from.u32(28);
  req.local_qpn = from.u24(32);
  req.responder_resources = from.u8(35);
  req.initiator_depth = from.u8(39);
  req.remote_response_timeout = from.bits(43, 5, 3);
  req.transport = static_cast<Transport>(from.bits(43, 2, 1));
  req.flow_control = from.bit(43, 0);
  req.starting_psn = from.u24(44);
  req.local_response_timeout = from.bits(47, 5, 3);
  req.retry_count = from.bits(47, 3, 0);
  req.pkey = from.u16(48);
  req.path_mtu = from.bits(50, 4, 4);
  req.rdc_exists = from.bit(50, 3);
  req.rnr_retry_count = from.bits(50, 3, 0);
  req.max_cm_retries = from.bits(51, 4, 4);
  req.srq = from.bit(51, 3);
  req.extended_transport = from.bits(51, 3, 0);
  req.primary = read_path(from, kPrimaryAt);
  req.alternate = read_path(from, kAlternateAt);
  req.private_data = from.rest(kReqPrivateAt, Req::kPrivateBytes);
}

void write(FieldWriter& to, const Req& req) {
  to.u32(0, req.local_comm_id);
  to.u64(8, req.service_id);
  to.u64(16, req.local_ca_guid);
  to.u32(28, req.local_qkey);
  to.u24(32, req.local_qpn);
  to.u8(35, req.responder_resources);
  to.u8(39, req.initiator_depth);
  to.bits(43, 5, 3, req.remote_response_timeout);
  to.bits(43, 2, 1, static_cast<unsigned>(req.transport));
  to.bits(43, 1, 0, req.flow_control);
  to.u24(44, req.starting_psn);
  to.bits(47, 5, 3, req.local_response_timeout);
  to.bits(47, 3, 0, req.retry_count);
  to.u16(48, req.pkey);
  to.bits(50, 4, 4, req.path_mtu);
  to.bits(50, 1, 3, req.rdc_exists);
  to.bits(50, 3, 0, req.rnr_retry_count);
  to.bits(51, 4, 4, req.max_cm_retries);
  to.bits(51, 1, 3, req.srq);
  to.bits(51, 3, 0, req.extended_transport);
  write_path(to, kPrimaryAt, req.primary);
  write_path(to, kAlternateAt, req.alternate);
  to.rest(kReqPrivateAt, Req::kPrivateBytes, req.private_data);
}

void read(const FieldReader& from, Lap& lap) {
  lap.local_comm_id = from.u32(0);
  lap.remote_comm_id = from.u32(4);
  lap.remote_qpn = from.u24(12);
  lap.remote_response_timeout = from.bits(15, 5, 3);
  read_ends(from, kLapPathAt, lap.alternate);
  lap.alternate.traffic_class = from.u8(59);
  lap.alternate.hop_limit = from.u8(60);
  lap.alternate.packet_rate = from.bits(61, 6, 0);
  lap.alternate.service_level = from.bits(62, 4, 4);
  lap.alternate.subnet_local = from.bit(62, 3);
  lap.alternate.ack_timeout = from.bits(63, 5, 3);
  lap.private_data = from.rest(kLapPrivateAt, Lap::kPrivateBytes);
}

void write(FieldWriter& to, const Lap& lap) {
  to.u32(0, lap.local_comm_id);
  to.u32(4, lap.remote_comm_id);
  to.u24(12, lap.remote_qpn);
  to.bits(15, 5, 3, lap.remote_response_timeout);
  write_ends(to, kLapPathAt, lap.alternate);
  to.u8(59, lap.alternate.traffic_class);
  to.u8(60, lap.alternate.hop_limit);
  to.bits(61, 6, 0, lap.alternate.packet_rate);
  to.bits(62, 4, 4, lap.alternate.service_level);
  to.bits(62, 1, 3, lap.alternate.subnet_local);
  to.bits(63, 5, 3, lap.alternate.ack_timeout);
  to.rest(kLapPrivateAt, Lap::kPrivateBytes, lap.private_data);
}

}  // namespace rocelab::cm
