// Completion::vendor_err: why a work request failed, in more detail than its status. The table of values with meaning
// and status is docs/completion-status.md; a test holds the two together.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "mm/region_table.h"
#include "rxe/types.h"

namespace rocelab::rxe {

enum class VendorError : std::uint32_t {
  kNone = 0,
  // Local memory: kLocProtErr (0x10 + mm::AccessFault).
  kLocalUnknownKey = 0x11,
  kLocalNotValid = 0x12,
  kLocalWrongPd = 0x13,
  kLocalWrongQp = 0x14,
  kLocalNoRight = 0x15,
  kLocalOutOfRange = 0x16,
  kLocalWrongKind = 0x17,
  kLocalBusy = 0x18,
  kLocalNotMapped = 0x19,
  // Local requests.
  kMessageTooLong = 0x20,
  kReceiveTooShort = 0x21,
  kResponseTooLong = 0x22,
  kBadAddressHandle = 0x23,
  kAddressWrongPd = 0x24,
  kDatagramBeyondMtu = 0x25,
  kResponderAccess = 0x26,
  kResponderInvalidRequest = 0x27,
  // Work requests on keys: kMwBindErr for binds, kLocQpOpErr else (0x30 + mm::AccessFault).
  kKeyUnknown = 0x31,
  kKeyNotValid = 0x32,
  kKeyWrongPd = 0x33,
  kKeyWrongQp = 0x34,
  kKeyNoRight = 0x35,
  kKeyOutOfRange = 0x36,
  kKeyWrongKind = 0x37,
  kKeyBusy = 0x38,
  // What the peer answered.
  kNakInvalidRequest = 0x40,
  kNakRemoteAccess = 0x41,
  kNakRemoteOperational = 0x42,
  kNakReserved = 0x43,
  kUnexpectedOpcode = 0x44,
  kResponseLength = 0x45,
  kResponseOrder = 0x46,
  // Retries.
  kAckTimeout = 0x50,
  kSequenceRetries = 0x51,
  kImpliedNakRetries = 0x52,
  kRnrRetries = 0x53,
  // Flushes: kWrFlushErr.
  kFlushedByModify = 0x60,
  kFlushedByError = 0x61,
  kFlushedBySqe = 0x62,
  // The engine's own limits.
  kCqOverflow = 0x70,
};

struct VendorErrorEntry {
  VendorError value;
  WcStatus status;           ///< the status it comes with
  std::string_view name;     ///< "LOCAL_UNKNOWN_KEY"
  std::string_view meaning;  ///< a sentence
};
/// All values except kNone, ascending.
std::span<const VendorErrorEntry> vendor_error_table();
std::string_view name(VendorError error);
std::string_view name(WcStatus status);

/// For a failed local access.
constexpr VendorError local_error(mm::AccessFault fault) {
  return fault == mm::AccessFault::kNone ? VendorError::kNone : VendorError{0x10u + static_cast<unsigned>(fault)};
}
/// For a bind, a fast registration or a local invalidation that was refused.
constexpr VendorError key_error(mm::AccessFault fault) {
  return fault == mm::AccessFault::kNone ? VendorError::kNone : VendorError{0x30u + static_cast<unsigned>(fault)};
}

}  // namespace rocelab::rxe
