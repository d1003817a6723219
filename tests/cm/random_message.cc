// See random_message.h. Fields are filled one by one here, not by reading random bytes: the reader is under test.
#include "tests/cm/random_message.h"

namespace rocelab::test {

namespace {

using base::Rng;

template <class T = std::uint8_t>
T bits(Rng& rng, unsigned width) {
  return static_cast<T>(rng.next() >> (64 - width));
}

wire::Gid gid(Rng& rng) {
  wire::Gid gid;
  for (auto& byte : gid.bytes) byte = bits(rng, 8);
  return gid;
}

template <std::size_t N>
void fill(Rng& rng, std::array<std::byte, N>& bytes) {
  for (auto& byte : bytes) byte = std::byte{bits(rng, 8)};
}

cm::PrivateData data(Rng& rng, std::size_t size) {
  cm::PrivateData data;
  fill(rng, data.bytes);
  return cm::PrivateData::of(std::span<const std::byte>(data.bytes).first(size));
}

template <class M>
void ids(Rng& rng, M& message) {
  message.local_comm_id = bits<std::uint32_t>(rng, 32);
  message.remote_comm_id = bits<std::uint32_t>(rng, 32);
  message.private_data = data(rng, M::kPrivateBytes);
}

cm::RequestPath path(Rng& rng) {
  cm::RequestPath path;
  path.local_lid = bits<std::uint16_t>(rng, 16);
  path.remote_lid = bits<std::uint16_t>(rng, 16);
  path.local_gid = gid(rng);
  path.remote_gid = gid(rng);
  path.flow_label = bits<std::uint32_t>(rng, 20);
  path.packet_rate = bits(rng, 6);
  path.traffic_class = bits(rng, 8);
  path.hop_limit = bits(rng, 8);
  path.service_level = bits(rng, 4);
  path.subnet_local = rng.chance(1, 2);
  path.ack_timeout = bits(rng, 5);
  return path;
}

cm::Req req(Rng& rng) {
  cm::Req m;
  m.local_comm_id = bits<std::uint32_t>(rng, 32);
  m.service_id = rng.next();
  m.local_ca_guid = rng.next();
  m.local_qkey = bits<std::uint32_t>(rng, 32);
  m.local_qpn = bits<std::uint32_t>(rng, 24);
  m.responder_resources = bits(rng, 8);
  m.initiator_depth = bits(rng, 8);
  m.remote_response_timeout = bits(rng, 5);
  m.transport = static_cast<cm::Transport>(bits(rng, 2));
  m.extended_transport = bits(rng, 3);
  m.flow_control = rng.chance(1, 2);
  m.starting_psn = bits<std::uint32_t>(rng, 24);
  m.local_response_timeout = bits(rng, 5);
  m.retry_count = bits(rng, 3);
  m.pkey = bits<std::uint16_t>(rng, 16);
  m.path_mtu = bits(rng, 4);
  m.rdc_exists = rng.chance(1, 2);
  m.rnr_retry_count = bits(rng, 3);
  m.max_cm_retries = bits(rng, 4);
  m.srq = rng.chance(1, 2);
  m.primary = path(rng);
  m.alternate = path(rng);
  m.private_data = data(rng, cm::Req::kPrivateBytes);
  return m;
}

cm::Mra mra(Rng& rng) {
  cm::Mra m;
  ids(rng, m);
  m.answered = static_cast<cm::Answered>(bits(rng, 2));
  m.service_timeout = bits(rng, 5);
  return m;
}

cm::Rej rej(Rng& rng) {
  cm::Rej m;
  ids(rng, m);
  m.answered = static_cast<cm::Answered>(bits(rng, 2));
  m.reason = static_cast<cm::RejectReason>(bits<std::uint16_t>(rng, 16));
  m.info_size = static_cast<std::uint8_t>(rng.below(cm::Rej::kInfoBytes + 1));
  fill(rng, m.info);
  return m;
}

cm::Rep rep(Rng& rng) {
  cm::Rep m;
  ids(rng, m);
  m.local_qkey = bits<std::uint32_t>(rng, 32);
  m.local_qpn = bits<std::uint32_t>(rng, 24);
  m.local_eecn = bits<std::uint32_t>(rng, 24);
  m.starting_psn = bits<std::uint32_t>(rng, 24);
  m.responder_resources = bits(rng, 8);
  m.initiator_depth = bits(rng, 8);
  m.target_ack_delay = bits(rng, 5);
  m.failover = bits(rng, 2);
  m.flow_control = rng.chance(1, 2);
  m.rnr_retry_count = bits(rng, 3);
  m.srq = rng.chance(1, 2);
  m.local_ca_guid = rng.next();
  return m;
}

cm::Lap lap(Rng& rng) {
  cm::Lap m;
  ids(rng, m);
  m.remote_qpn = bits<std::uint32_t>(rng, 24);
  m.remote_response_timeout = bits(rng, 5);
  m.alternate = path(rng);
  return m;
}

cm::Apr apr(Rng& rng) {
  cm::Apr m;
  ids(rng, m);
  m.status = static_cast<cm::AprStatus>(bits(rng, 8));
  m.info_size = static_cast<std::uint8_t>(rng.below(cm::Apr::kInfoBytes + 1));
  fill(rng, m.info);
  return m;
}

cm::SidrReq sidr_req(Rng& rng) {
  cm::SidrReq m;
  m.request_id = bits<std::uint32_t>(rng, 32);
  m.pkey = bits<std::uint16_t>(rng, 16);
  m.service_id = rng.next();
  m.private_data = data(rng, cm::SidrReq::kPrivateBytes);
  return m;
}

cm::SidrRep sidr_rep(Rng& rng) {
  cm::SidrRep m;
  m.request_id = bits<std::uint32_t>(rng, 32);
  m.status = static_cast<cm::SidrStatus>(bits(rng, 8));
  m.info_size = static_cast<std::uint8_t>(rng.below(cm::SidrRep::kInfoBytes + 1));
  m.qpn = bits<std::uint32_t>(rng, 24);
  m.service_id = rng.next();
  m.qkey = bits<std::uint32_t>(rng, 32);
  fill(rng, m.info);
  m.private_data = data(rng, cm::SidrRep::kPrivateBytes);
  return m;
}

}  // namespace

cm::Message random_message(Rng& rng, std::size_t kind) {
  switch (kind) {
    case 0:
      return req(rng);
    case 1:
      return mra(rng);
    case 2:
      return rej(rng);
    case 3:
      return rep(rng);
    case 4: {
      cm::Rtu m;
      ids(rng, m);
      return m;
    }
    case 5: {
      cm::Dreq m;
      ids(rng, m);
      m.remote_qpn = bits<std::uint32_t>(rng, 24);
      return m;
    }
    case 6: {
      cm::Drep m;
      ids(rng, m);
      return m;
    }
    case 7:
      return lap(rng);
    case 8:
      return apr(rng);
    case 9:
      return sidr_req(rng);
    default:
      return sidr_rep(rng);
  }
}

}  // namespace rocelab::test
