// Messages as one line for logs and test failures.
#include <fmt/format.h>

#include "cm/messages.h"

namespace rocelab::cm {

namespace {

struct Text {
  std::string operator()(const Req& m) const {
    return fmt::format("REQ {:#x} service {:#x} qp {:#x} psn {} {} > {}", m.local_comm_id, m.service_id, m.local_qpn,
                       m.starting_psn, wire::to_string(m.primary.local_gid), wire::to_string(m.primary.remote_gid));
  }
  std::string operator()(const Mra& m) const {
    return fmt::format("MRA {:#x} > {:#x} of {} timeout {}", m.local_comm_id, m.remote_comm_id,
                       static_cast<unsigned>(m.answered), m.service_timeout);
  }
  std::string operator()(const Rej& m) const {
    return fmt::format("REJ {:#x} > {:#x} of {} reason {}", m.local_comm_id, m.remote_comm_id,
                       static_cast<unsigned>(m.answered), static_cast<unsigned>(m.reason));
  }
  std::string operator()(const Rep& m) const {
    return fmt::format("REP {:#x} > {:#x} qp {:#x} psn {}", m.local_comm_id, m.remote_comm_id, m.local_qpn,
                       m.starting_psn);
  }
  std::string operator()(const Rtu& m) const { return ids("RTU", m); }
  std::string operator()(const Dreq& m) const {
    return fmt::format("DREQ {:#x} > {:#x} qp {:#x}", m.local_comm_id, m.remote_comm_id, m.remote_qpn);
  }
  std::string operator()(const Drep& m) const { return ids("DREP", m); }
  std::string operator()(const Lap& m) const { return ids("LAP", m); }
  std::string operator()(const Apr& m) const {
    return fmt::format("APR {:#x} > {:#x} status {}", m.local_comm_id, m.remote_comm_id,
                       static_cast<unsigned>(m.status));
  }
  std::string operator()(const SidrReq& m) const {
    return fmt::format("SIDR_REQ {:#x} service {:#x}", m.request_id, m.service_id);
  }
  std::string operator()(const SidrRep& m) const {
    return fmt::format("SIDR_REP {:#x} status {} qp {:#x}", m.request_id, static_cast<unsigned>(m.status), m.qpn);
  }
  template <class M>
  static std::string ids(const char* name, const M& m) {
    return fmt::format("{} {:#x} > {:#x}", name, m.local_comm_id, m.remote_comm_id);
  }
};

}  // namespace

std::string to_string(const Message& message) { return std::visit(Text{}, message); }

}  // namespace rocelab::cm
