// The shorter messages, and all eleven behind one reader and one writer. Offsets behind the MAD header:
//
//   MRA  0, 4 comm ids | 8 message 2 | 9 service timeout 5 | 10 private data (222)          IBTA vol 1, 12.6.6
//   REJ  0, 4 comm ids | 8 message 2 | 9 info length 7 | 10 reason | 12 info (72) | 84 private data (148)     12.6.7
//   REP  0, 4 comm ids | 8 Q_Key | 12 QPN 24 | 16 EECN 24 | 20 starting PSN 24 | 24 responder resources       12.6.8
//        25 initiator depth | 26 ACK delay 5, failover 2, flow control 1 | 27 RNR retry 3, SRQ 1
//        28 CA GUID (8) | 36 private data (196)
//   RTU, DREP  0, 4 comm ids | 8 private data (224)                                          12.6.9, 12.6.11
//   DREQ 0, 4 comm ids | 8 receiver's QPN 24 | 12 private data (220)                         12.6.10
//   APR  0, 4 comm ids | 8 info length | 9 status | 12 info (72) | 84 private data (148)     12.8.2
//   SIDR_REQ  0 request id | 4 P_Key | 8 service id (8) | 16 private data (216)              12.11.1
//   SIDR_REP  0 request id | 4 status | 5 info length | 8 QPN 24 | 12 service id (8) | 20 Q_Key | 24 info (72)
//             96 private data (136)                                                          12.11.2
#include "cm/messages.h"

#include "cm/message_fields.h"

namespace rocelab::cm {

namespace {

std::uint8_t info_size_of(std::uint8_t field, std::size_t size_max) {
  return static_cast<std::uint8_t>(std::min<std::size_t>(field, size_max));
}

template <class M>
void read_ids(const FieldReader& from, M& message) {
  message.local_comm_id = from.u32(0);
  message.remote_comm_id = from.u32(4);
}
template <class M>
void write_ids(FieldWriter& to, const M& message) {
  to.u32(0, message.local_comm_id);
  to.u32(4, message.remote_comm_id);
}

void read(const FieldReader& from, Mra& mra) {
  read_ids(from, mra);
  mra.answered = static_cast<Answered>(from.bits(8, 2, 6));
  mra.service_timeout = from.bits(9, 5, 3);
  mra.private_data = from.rest(10, Mra::kPrivateBytes);
}
void write(FieldWriter& to, const Mra& mra) {
  write_ids(to, mra);
  to.bits(8, 2, 6, static_cast<unsigned>(mra.answered));
  to.bits(9, 5, 3, mra.service_timeout);
  to.rest(10, Mra::kPrivateBytes, mra.private_data);
}

void read(const FieldReader& from, Rej& rej) {
  read_ids(from, rej);
  rej.answered = static_cast<Answered>(from.bits(8, 2, 6));
  rej.info_size = info_size_of(from.bits(9, 7, 1), Rej::kInfoBytes);
  rej.reason = static_cast<RejectReason>(from.u16(10));
  from.copy(12, rej.info);
  rej.private_data = from.rest(84, Rej::kPrivateBytes);
}
void write(FieldWriter& to, const Rej& rej) {
  write_ids(to, rej);
  to.bits(8, 2, 6, static_cast<unsigned>(rej.answered));
  to.bits(9, 7, 1, rej.info_size);
  to.u16(10, static_cast<std::uint16_t>(rej.reason));
  to.copy(12, rej.info);
  to.rest(84, Rej::kPrivateBytes, rej.private_data);
}

void read(const FieldReader& from, Rep& rep) {
  read_ids(from, rep);
  rep.local_qkey = from.u32(8);
  rep.local_qpn = from.u24(12);
  rep.local_eecn = from.u24(16);
  rep.starting_psn = from.u24(20);
  rep.responder_resources = from.u8(24);
  rep.initiator_depth = from.u8(25);
  rep.target_ack_delay = from.bits(26, 5, 3);
  rep.failover = from.bits(26, 2, 1);
  rep.flow_control = from.bit(26, 0);
  rep.rnr_retry_count = from.bits(27, 3, 5);
  rep.srq = from.bit(27, 4);
  rep.local_ca_guid = from.u64(28);
  rep.private_data = from.rest(36, Rep::kPrivateBytes);
}
void write(FieldWriter& to, const Rep& rep) {
  write_ids(to, rep);
  to.u32(8, rep.local_qkey);
  to.u24(12, rep.local_qpn);
  to.u24(16, rep.local_eecn);
  to.u24(20, rep.starting_psn);
  to.u8(24, rep.responder_resources);
  to.u8(25, rep.initiator_depth);
  to.bits(26, 5, 3, rep.target_ack_delay);
  to.bits(26, 2, 1, rep.failover);
  to.bits(26, 1, 0, rep.flow_control);
  to.bits(27, 3, 5, rep.rnr_retry_count);
  to.bits(27, 1, 4, rep.srq);
  to.u64(28, rep.local_ca_guid);
  to.rest(36, Rep::kPrivateBytes, rep.private_data);
}

void read(const FieldReader& from, Rtu& rtu) {
  read_ids(from, rtu);
  rtu.private_data = from.rest(8, Rtu::kPrivateBytes);
}
void write(FieldWriter& to, const Rtu& rtu) {
  write_ids(to, rtu);
  to.rest(8, Rtu::kPrivateBytes, rtu.private_data);
}

void read(const FieldReader& from, Dreq& dreq) {
  read_ids(from, dreq);
  dreq.remote_qpn = from.u24(8);
  dreq.private_data = from.rest(12, Dreq::kPrivateBytes);
}
void write(FieldWriter& to, const Dreq& dreq) {
  write_ids(to, dreq);
  to.u24(8, dreq.remote_qpn);
  to.rest(12, Dreq::kPrivateBytes, dreq.private_data);
}

void read(const FieldReader& from, Drep& drep) {
  read_ids(from, drep);
  drep.private_data = from.rest(8, Drep::kPrivateBytes);
}
void write(FieldWriter& to, const Drep& drep) {
  write_ids(to, drep);
  to.rest(8, Drep::kPrivateBytes, drep.private_data);
}

void read(const FieldReader& from, Apr& apr) {
  read_ids(from, apr);
  apr.info_size = info_size_of(from.u8(8), Apr::kInfoBytes);
  apr.status = static_cast<AprStatus>(from.u8(9));
  from.copy(12, apr.info);
  apr.private_data = from.rest(84, Apr::kPrivateBytes);
}
void write(FieldWriter& to, const Apr& apr) {
  write_ids(to, apr);
  to.u8(8, apr.info_size);
  to.u8(9, static_cast<unsigned>(apr.status));
  to.copy(12, apr.info);
  to.rest(84, Apr::kPrivateBytes, apr.private_data);
}

void read(const FieldReader& from, SidrReq& req) {
  req.request_id = from.u32(0);
  req.pkey = from.u16(4);
  req.service_id = from.u64(8);
  req.private_data = from.rest(16, SidrReq::kPrivateBytes);
}
void write(FieldWriter& to, const SidrReq& req) {
  to.u32(0, req.request_id);
  to.u16(4, req.pkey);
  to.u64(8, req.service_id);
  to.rest(16, SidrReq::kPrivateBytes, req.private_data);
}

void read(const FieldReader& from, SidrRep& rep) {
  rep.request_id = from.u32(0);
  rep.status = static_cast<SidrStatus>(from.u8(4));
  rep.info_size = info_size_of(from.u8(5), SidrRep::kInfoBytes);
  rep.qpn = from.u24(8);
  rep.service_id = from.u64(12);
  rep.qkey = from.u32(20);
  from.copy(24, rep.info);
  rep.private_data = from.rest(96, SidrRep::kPrivateBytes);
}
void write(FieldWriter& to, const SidrRep& rep) {
  to.u32(0, rep.request_id);
  to.u8(4, static_cast<unsigned>(rep.status));
  to.u8(5, rep.info_size);
  to.u24(8, rep.qpn);
  to.u64(12, rep.service_id);
  to.u32(20, rep.qkey);
  to.copy(24, rep.info);
  to.rest(96, SidrRep::kPrivateBytes, rep.private_data);
}

template <class M>
Message read_as(const FieldReader& from) {
  M message;
  read(from, message);
  return message;
}

std::optional<Message> read_message(std::uint16_t attribute, const FieldReader& from) {
  switch (static_cast<Attribute>(attribute)) {
    case Attribute::kReq:
      return read_as<Req>(from);
    case Attribute::kMra:
      return read_as<Mra>(from);
    case Attribute::kRej:
      return read_as<Rej>(from);
    case Attribute::kRep:
      return read_as<Rep>(from);
    case Attribute::kRtu:
      return read_as<Rtu>(from);
    case Attribute::kDreq:
      return read_as<Dreq>(from);
    case Attribute::kDrep:
      return read_as<Drep>(from);
    case Attribute::kSidrReq:
      return read_as<SidrReq>(from);
    case Attribute::kSidrRep:
      return read_as<SidrRep>(from);
    case Attribute::kLap:
      return read_as<Lap>(from);
    case Attribute::kApr:
      return read_as<Apr>(from);
  }
  return std::nullopt;
}

}  // namespace

ParsedMad parse_mad(std::span<const std::byte> bytes) {
  const auto wrong = [](MadError error) { return ParsedMad{std::nullopt, error}; };
  if (bytes.size() != kMadBytes) return wrong(MadError::kLength);
  const MadHeader header = MadHeader::parse(bytes);
  if (header.management_class != kCmClass) return wrong(MadError::kClass);
  if (header.base_version != kMadBaseVersion || header.class_version != kCmClassVersion) {
    return wrong(MadError::kVersion);
  }
  if (header.method != kMethodSend) return wrong(MadError::kMethod);
  auto message = read_message(header.attribute_id, FieldReader(bytes));
  if (!message) return wrong(MadError::kAttribute);
  return {Mad{header.transaction_id, std::move(*message)}, {}};
}

void emit_mad(const Mad& mad, std::span<std::byte, kMadBytes> bytes) {
  std::fill(bytes.begin(), bytes.end(), std::byte{0});
  MadHeader header;
  header.transaction_id = mad.transaction_id;
  header.attribute_id = static_cast<std::uint16_t>(attribute_of(mad.message));
  header.emit(bytes);
  FieldWriter to(bytes);
  std::visit([&to](const auto& message) { write(to, message); }, mad.message);
}

Attribute attribute_of(const Message& message) {
  return std::visit([](const auto& m) { return std::decay_t<decltype(m)>::kAttribute; }, message);
}

}  // namespace rocelab::cm
