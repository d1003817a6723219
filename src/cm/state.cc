// See state.h. A row a trigger: from which states it is in order, and where each leads.
#include "cm/state.h"

#include <array>
#include <initializer_list>

namespace rocelab::cm {

namespace {

using S = State;
using T = Trigger;

struct Step {
  T trigger;
  S from, to;
};

constexpr Step kSteps[] = {
    {T::kListen, S::kIdle, S::kListen},
    {T::kSendReq, S::kIdle, S::kReqSent},
    {T::kSendSidrReq, S::kIdle, S::kSidrReqSent},
    {T::kReqCame, S::kIdle, S::kReqRcvd},
    {T::kSidrReqCame, S::kIdle, S::kSidrReqRcvd},

    // The passive side answers.
    {T::kSendMra, S::kReqRcvd, S::kMraReqSent},
    {T::kSendRep, S::kReqRcvd, S::kRepSent},
    {T::kSendRep, S::kMraReqSent, S::kRepSent},
    {T::kSendRej, S::kReqRcvd, S::kIdle},
    {T::kSendRej, S::kMraReqSent, S::kIdle},
    {T::kSendRej, S::kRepSent, S::kTimewait},
    {T::kSendRej, S::kMraRepRcvd, S::kTimewait},
    {T::kReqAgain, S::kReqRcvd, S::kReqRcvd},
    {T::kReqAgain, S::kMraReqSent, S::kMraReqSent},
    {T::kReqAgain, S::kRepSent, S::kRepSent},
    {T::kReqAgain, S::kMraRepRcvd, S::kMraRepRcvd},
    {T::kReqAgain, S::kEstablished, S::kEstablished},
    {T::kReqAgain, S::kTimewait, S::kTimewait},
    {T::kMraOfRep, S::kRepSent, S::kMraRepRcvd},
    {T::kMraOfRep, S::kMraRepRcvd, S::kMraRepRcvd},
    {T::kRtuCame, S::kRepSent, S::kEstablished},
    {T::kRtuCame, S::kMraRepRcvd, S::kEstablished},
    {T::kRtuCame, S::kEstablished, S::kEstablished},
    {T::kNotifyEstablished, S::kRepSent, S::kEstablished},
    {T::kNotifyEstablished, S::kMraRepRcvd, S::kEstablished},
    {T::kNotifyEstablished, S::kEstablished, S::kEstablished},

    // The active side waits, and answers in its turn.
    {T::kMraOfReq, S::kReqSent, S::kMraReqRcvd},
    {T::kMraOfReq, S::kMraReqRcvd, S::kMraReqRcvd},
    {T::kRepCame, S::kReqSent, S::kRepRcvd},
    {T::kRepCame, S::kMraReqRcvd, S::kRepRcvd},
    {T::kSendRej, S::kReqSent, S::kIdle},
    {T::kSendRej, S::kMraReqRcvd, S::kIdle},
    {T::kSendMra, S::kRepRcvd, S::kMraRepSent},
    {T::kSendRtu, S::kRepRcvd, S::kEstablished},
    {T::kSendRtu, S::kMraRepSent, S::kEstablished},
    {T::kSendRej, S::kRepRcvd, S::kIdle},
    {T::kSendRej, S::kMraRepSent, S::kIdle},
    {T::kRepAgain, S::kRepRcvd, S::kRepRcvd},
    {T::kRepAgain, S::kMraRepSent, S::kMraRepSent},
    {T::kRepAgain, S::kEstablished, S::kEstablished},

    // Refused by the peer.
    {T::kRejCame, S::kReqSent, S::kIdle},
    {T::kRejCame, S::kMraReqRcvd, S::kIdle},
    {T::kRejCame, S::kReqRcvd, S::kIdle},
    {T::kRejCame, S::kMraReqSent, S::kIdle},
    {T::kRejCame, S::kRepSent, S::kIdle},
    {T::kRejCame, S::kMraRepRcvd, S::kIdle},
    {T::kRejCame, S::kRepRcvd, S::kTimewait},
    {T::kRejCame, S::kMraRepSent, S::kTimewait},
    {T::kRejCame, S::kEstablished, S::kTimewait},
    {T::kRejCame, S::kDreqSent, S::kTimewait},
    {T::kStaleRejCame, S::kReqSent, S::kTimewait},
    {T::kStaleRejCame, S::kMraReqRcvd, S::kTimewait},
    {T::kStaleRejCame, S::kReqRcvd, S::kTimewait},
    {T::kStaleRejCame, S::kMraReqSent, S::kTimewait},
    {T::kStaleRejCame, S::kRepSent, S::kTimewait},
    {T::kStaleRejCame, S::kMraRepRcvd, S::kTimewait},
    {T::kStaleRejCame, S::kRepRcvd, S::kTimewait},
    {T::kStaleRejCame, S::kMraRepSent, S::kTimewait},
    {T::kStaleRejCame, S::kEstablished, S::kTimewait},
    {T::kStaleRejCame, S::kDreqSent, S::kTimewait},

    // The end. A DREQ may overtake or stand for the RTU; two may cross.
    {T::kSendDreq, S::kEstablished, S::kDreqSent},
    {T::kDreqCame, S::kRepSent, S::kDreqRcvd},
    {T::kDreqCame, S::kMraRepRcvd, S::kDreqRcvd},
    {T::kDreqCame, S::kEstablished, S::kDreqRcvd},
    {T::kDreqCame, S::kDreqRcvd, S::kDreqRcvd},
    {T::kDreqCame, S::kDreqSent, S::kTimewait},
    {T::kDreqCame, S::kTimewait, S::kTimewait},
    {T::kSendDrep, S::kDreqRcvd, S::kTimewait},
    {T::kDrepCame, S::kDreqSent, S::kTimewait},
    {T::kDrepCame, S::kDreqRcvd, S::kTimewait},
    {T::kTimewaitEnd, S::kTimewait, S::kIdle},
    {T::kLapCame, S::kEstablished, S::kEstablished},

    {T::kSendSidrRep, S::kSidrReqRcvd, S::kIdle},
    {T::kSidrRepCame, S::kSidrReqSent, S::kIdle},

    {T::kRetriesEnd, S::kReqSent, S::kIdle},
    {T::kRetriesEnd, S::kMraReqRcvd, S::kIdle},
    {T::kRetriesEnd, S::kRepSent, S::kIdle},
    {T::kRetriesEnd, S::kMraRepRcvd, S::kIdle},
    {T::kRetriesEnd, S::kDreqSent, S::kTimewait},
    {T::kRetriesEnd, S::kSidrReqSent, S::kIdle},

    // What the peer's process would have said itself. A REQ that nobody has acknowledged may yet find another process.
    {T::kPeerDied, S::kMraReqRcvd, S::kIdle},
    {T::kPeerDied, S::kReqRcvd, S::kIdle},
    {T::kPeerDied, S::kMraReqSent, S::kIdle},
    {T::kPeerDied, S::kRepSent, S::kIdle},
    {T::kPeerDied, S::kMraRepRcvd, S::kIdle},
    {T::kPeerDied, S::kRepRcvd, S::kTimewait},
    {T::kPeerDied, S::kMraRepSent, S::kTimewait},
    {T::kPeerDied, S::kEstablished, S::kDreqRcvd},
    {T::kPeerDied, S::kDreqSent, S::kTimewait},
};

constexpr std::int8_t kRefused = -1;
using Table = std::array<std::array<std::int8_t, kTriggerCount>, kStateCount>;

constexpr Table make_table() {
  Table table{};
  for (auto& row : table) row.fill(kRefused);
  for (const Step& step : kSteps) {
    table[static_cast<std::size_t>(step.from)][static_cast<std::size_t>(step.trigger)] =
        static_cast<std::int8_t>(step.to);
  }
  return table;
}
constexpr Table kTable = make_table();

constexpr std::string_view kStateNames[kStateCount] = {
    "idle",      "listen",        "REQ sent",      "MRA(REQ) rcvd", "REQ rcvd",    "MRA(REQ) sent",
    "REP sent",  "MRA(REP) rcvd", "REP rcvd",      "MRA(REP) sent", "established", "DREQ sent",
    "DREQ rcvd", "timewait",      "SIDR_REQ sent", "SIDR_REQ rcvd",
};
constexpr std::string_view kTriggerNames[kTriggerCount] = {
    "listen",     "send REQ",    "send REP",      "send RTU",      "send REJ",    "send MRA",      "send DREQ",
    "send DREP",  "established", "send SIDR_REQ", "send SIDR_REP", "REQ",         "REQ again",     "MRA of REQ",
    "MRA of REP", "REJ",         "REJ (stale)",   "REP",           "REP again",   "RTU",           "DREQ",
    "DREP",       "LAP",         "SIDR_REQ",      "SIDR_REP",      "retries end", "timewait ends", "peer died",
};

}  // namespace

std::optional<State> next_state(State state, Trigger trigger) {
  const auto s = static_cast<std::size_t>(state), t = static_cast<std::size_t>(trigger);
  if (s >= kStateCount || t >= kTriggerCount || kTable[s][t] == kRefused) return std::nullopt;
  return static_cast<State>(kTable[s][t]);
}

std::string_view to_string(State state) {
  const auto index = static_cast<std::size_t>(state);
  return index < kStateCount ? kStateNames[index] : "?";
}

std::string_view to_string(Trigger trigger) {
  const auto index = static_cast<std::size_t>(trigger);
  return index < kTriggerCount ? kTriggerNames[index] : "?";
}

}  // namespace rocelab::cm
