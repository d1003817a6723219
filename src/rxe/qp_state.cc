// The transitions of the QP state machine with their attribute masks. One row a transition and service; what is not in
// the table does not exist. Transitions to RESET and ERR carry no attributes and are the same for all services.
#include "rxe/qp_state.h"

#include <array>
#include <cerrno>
#include <utility>

namespace rocelab::rxe {

namespace {

using namespace qp_attr;  // NOLINT: the table is unreadable with qualified names
using S = QpState;

// What may be changed while a connected QP runs: alternate path and its migration, rights, the RNR NAK timer.
constexpr std::uint32_t kUcRunning = kCurState | kAltPath | kAccessFlags | kPathMigState;
constexpr std::uint32_t kRcRunning = kUcRunning | kMinRnrTimer;
constexpr std::uint32_t kUdRunning = kCurState | kQkey;

constexpr std::uint32_t kUdInit = kPkeyIndex | kPort | kQkey;
constexpr std::uint32_t kConnectedInit = kPkeyIndex | kPort | kAccessFlags;
constexpr std::uint32_t kGsiInit = kPkeyIndex | kQkey;  // QP1 belongs to its port from the start

constexpr std::uint32_t kUcRtr = kAv | kPathMtu | kDestQpn | kRqPsn;
constexpr std::uint32_t kRcRtr = kUcRtr | kMaxDestRdAtomic | kMinRnrTimer;
constexpr std::uint32_t kConnectedRtrOptional = kAltPath | kAccessFlags | kPkeyIndex;

constexpr std::uint32_t kRcRts = kTimeout | kRetryCnt | kRnrRetry | kSqPsn | kMaxQpRdAtomic;

constexpr std::uint32_t kUcSqd = kAv | kAltPath | kAccessFlags | kPkeyIndex | kPathMigState;
constexpr std::uint32_t kRcSqd =
    kUcSqd | kPort | kTimeout | kRetryCnt | kRnrRetry | kMaxQpRdAtomic | kMaxDestRdAtomic | kMinRnrTimer;

// XRC divides RC's attributes: an initiator has those of the requester, a target those of the responder.
constexpr std::uint32_t kInitiatorRts = kRcRts;
constexpr std::uint32_t kTargetRts = kTimeout | kSqPsn;
constexpr std::uint32_t kInitiatorSqd = kUcSqd | kPort | kTimeout | kRetryCnt | kRnrRetry | kMaxQpRdAtomic;
constexpr std::uint32_t kTargetSqd = kUcSqd | kPort | kTimeout | kMaxDestRdAtomic | kMinRnrTimer;

struct Masks {
  std::uint32_t required = 0;
  std::uint32_t optional = 0;
};
constexpr Masks kNever = {~0u, 0};
struct Row {
  QpState from;
  QpState to;
  Masks rc, uc, ud, gsi, initiator, target;
};

constexpr Row kRows[] = {
    // from, to, then {required, optional} of RC, UC, UD, GSI, XRC initiators, XRC targets
    {S::kReset,
     S::kInit,
     {kConnectedInit, 0},
     {kConnectedInit, 0},
     {kUdInit, 0},
     {kGsiInit, 0},
     {kConnectedInit, 0},
     {kConnectedInit, 0}},
    {S::kInit,
     S::kInit,
     {0, kConnectedInit},
     {0, kConnectedInit},
     {0, kUdInit},
     {0, kGsiInit},
     {0, kConnectedInit},
     {0, kConnectedInit}},
    {S::kInit,
     S::kRtr,
     {kRcRtr, kConnectedRtrOptional},
     {kUcRtr, kConnectedRtrOptional},
     {0, kGsiInit},
     {0, kGsiInit},
     {kUcRtr, kConnectedRtrOptional},
     {kRcRtr, kConnectedRtrOptional}},
    {S::kRtr,
     S::kRts,
     {kRcRts, kRcRunning},
     {kSqPsn, kUcRunning},
     {kSqPsn, kUdRunning},
     {kSqPsn, kUdRunning},
     {kInitiatorRts, kUcRunning},
     {kTargetRts, kRcRunning}},
    {S::kRts,
     S::kRts,
     {0, kRcRunning},
     {0, kUcRunning},
     {0, kUdRunning},
     {0, kUdRunning},
     {0, kUcRunning},
     {0, kRcRunning}},
    {S::kRts,
     S::kSqd,
     {0, kEnSqdAsyncNotify},
     {0, kEnSqdAsyncNotify},
     {0, kEnSqdAsyncNotify},
     {0, kEnSqdAsyncNotify},
     {0, kEnSqdAsyncNotify},
     {0, kEnSqdAsyncNotify}},
    {S::kSqd,
     S::kRts,
     {0, kRcRunning},
     {0, kUcRunning},
     {0, kUdRunning},
     {0, kUdRunning},
     {0, kUcRunning},
     {0, kRcRunning}},
    {S::kSqd, S::kSqd, {0, kRcSqd}, {0, kUcSqd}, {0, kGsiInit}, {0, kGsiInit}, {0, kInitiatorSqd}, {0, kTargetSqd}},
    // RC has no SQE: any of its errors goes to ERR. The kernel lists the transition without attributes all the same.
    // (Not for XRC.)
    {S::kSqe, S::kRts, {0, 0}, {0, kCurState | kAccessFlags}, {0, kUdRunning}, {0, kUdRunning}, kNever, kNever},
};

/// Every state can be reset; every state but RESET can be put in error.
constexpr bool always_possible(QpState from, QpState to) {
  return to == S::kReset || (to == S::kErr && from != S::kReset);
}

// Raw packet QPs belong to a port and have no attributes besides.
constexpr Masks kRawInit = {kPort, 0}, kRawInitAgain = {0, kPort}, kRawRunning = {0, kCurState};

constexpr const Masks& raw_masks(const Row& row) {
  if (row.to == S::kInit) return row.from == S::kReset ? kRawInit : kRawInitAgain;
  return kRawRunning;
}

constexpr const Masks& masks_of(const Row& row, QpType type) {
  switch (type) {
    case QpType::kRc:
      return row.rc;
    case QpType::kUc:
      return row.uc;
    case QpType::kUd:
      return row.ud;
    case QpType::kRawPacket:
      return raw_masks(row);
    case QpType::kXrcSend:
      return row.initiator;
    case QpType::kXrcRecv:
      return row.target;
    case QpType::kGsi:
      break;
  }
  return row.gsi;
}

constexpr std::pair<std::uint32_t, std::string_view> kAttributeNames[] = {
    {kState, "STATE"},
    {kCurState, "CUR_STATE"},
    {kEnSqdAsyncNotify, "EN_SQD_ASYNC_NOTIFY"},
    {kAccessFlags, "ACCESS_FLAGS"},
    {kPkeyIndex, "PKEY_INDEX"},
    {kPort, "PORT"},
    {kQkey, "QKEY"},
    {kAv, "AV"},
    {kPathMtu, "PATH_MTU"},
    {kTimeout, "TIMEOUT"},
    {kRetryCnt, "RETRY_CNT"},
    {kRnrRetry, "RNR_RETRY"},
    {kRqPsn, "RQ_PSN"},
    {kMaxQpRdAtomic, "MAX_QP_RD_ATOMIC"},
    {kAltPath, "ALT_PATH"},
    {kMinRnrTimer, "MIN_RNR_TIMER"},
    {kSqPsn, "SQ_PSN"},
    {kMaxDestRdAtomic, "MAX_DEST_RD_ATOMIC"},
    {kPathMigState, "PATH_MIG_STATE"},
    {kCap, "CAP"},
    {kDestQpn, "DEST_QPN"},
    {kRateLimit, "RATE_LIMIT"},
};

}  // namespace

std::string_view name(QpState state) {
  constexpr std::array<std::string_view, kQpStateCount> kNames = {"RESET", "INIT", "RTR", "RTS", "SQD", "SQE", "ERR"};
  const auto index = static_cast<std::size_t>(state);
  return index < kNames.size() ? kNames[index] : "?";
}

std::string_view name(QpType type) {
  switch (type) {
    case QpType::kRc:
      return "RC";
    case QpType::kUc:
      return "UC";
    case QpType::kUd:
      return "UD";
    case QpType::kGsi:
      return "GSI";
    case QpType::kRawPacket:
      return "RAW";
    case QpType::kXrcSend:
      return "XRC_INI";
    case QpType::kXrcRecv:
      return "XRC_TGT";
  }
  return "?";
}

QpTransition qp_transition(QpType type, QpState from, QpState to) {
  if (always_possible(from, to)) return {true, 0, 0};
  for (const Row& row : kRows) {
    if (row.from != from || row.to != to) continue;
    const Masks& masks = masks_of(row, type);
    if (masks.required == kNever.required) break;
    return {true, masks.required, masks.optional};
  }
  return {};
}

base::Result<void> check_modify(QpType type, QpState current, QpState next, std::uint32_t mask) {
  if (static_cast<unsigned>(next) >= kQpStateCount) return base::fail(EINVAL, "no such QP state");
  const bool knows_current = current == S::kRtr || current == S::kRts || current == S::kSqd || current == S::kSqe;
  if ((mask & kCurState) != 0 && !knows_current) return base::fail(EINVAL, "cur_state does not apply to this QP state");
  const QpTransition transition = qp_transition(type, current, next);
  if (!transition.valid) return base::fail(EINVAL, "the QP cannot go from its state to the one asked for");
  if ((mask & transition.required) != transition.required) {
    return base::fail(EINVAL, "an attribute that the QP state transition requires is missing");
  }
  if ((mask & ~(transition.required | transition.optional | kState)) != 0) {
    return base::fail(EINVAL, "an attribute is given that the QP state transition does not take");
  }
  return {};
}

std::string attribute_names(std::uint32_t mask) {
  std::string text;
  for (const auto& [bit, label] : kAttributeNames) {
    if ((mask & bit) == 0) continue;
    if (!text.empty()) text += '|';
    text += label;
  }
  return text.empty() ? "-" : text;
}

}  // namespace rocelab::rxe
