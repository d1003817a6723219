// The states of a communication id and what may happen in each, as one table (IBTA vol 1, 12.9; the names are those of
// its figures). The table says whether something is in order and where it leads; what is done about it is the
// Manager's. tests/cm prints the whole table and compares it with a golden file.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rocelab::cm {

enum class State : std::uint8_t {
  kIdle,
  kListen,
  kReqSent,
  kMraReqRcvd,  ///< the peer wants more time for our REQ
  kReqRcvd,
  kMraReqSent,  ///< we have asked for more time, or will when the REQ is repeated
  kRepSent,
  kMraRepRcvd,
  kRepRcvd,
  kMraRepSent,
  kEstablished,
  kDreqSent,
  kDreqRcvd,
  kTimewait,
  kSidrReqSent,
  kSidrReqRcvd,
};
inline constexpr std::uint8_t kStateCount = 16;

/// What can happen: calls of the consumer, messages of the peer, time.
enum class Trigger : std::uint8_t {
  kListen,
  kSendReq,
  kSendRep,
  kSendRtu,
  kSendRej,
  kSendMra,
  kSendDreq,
  kSendDrep,
  kNotifyEstablished,  ///< the QP has received something: the RTU was lost
  kSendSidrReq,
  kSendSidrRep,
  kReqCame,  ///< makes an id of its own: kIdle to kReqRcvd
  kReqAgain,
  kMraOfReq,
  kMraOfRep,
  kRejCame,
  kStaleRejCame,  ///< with RejectReason::kStaleConnection: the QP must rest
  kRepCame,
  kRepAgain,
  kRtuCame,
  kDreqCame,
  kDrepCame,
  kLapCame,
  kSidrReqCame,
  kSidrRepCame,
  kRetriesEnd,  ///< the last repetition had no answer
  kTimewaitEnd,
  kPeerDied,  ///< a process of this host that was at the other end
};
inline constexpr std::uint8_t kTriggerCount = 28;

/// The state after it (perhaps the same), or nothing: not in order here.
std::optional<State> next_state(State state, Trigger trigger);

std::string_view to_string(State state);
std::string_view to_string(Trigger trigger);

}  // namespace rocelab::cm
