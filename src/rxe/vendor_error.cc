// Names and meanings of vendor_err values and statuses. docs/completion-status.md repeats the table; a test compares.
#include "rxe/vendor_error.h"

namespace rocelab::rxe {

namespace {

static_assert(mm::access::kLocalWrite == access::kLocalWrite && mm::access::kRemoteWrite == access::kRemoteWrite &&
                  mm::access::kRemoteRead == access::kRemoteRead &&
                  mm::access::kRemoteAtomic == access::kRemoteAtomic && mm::access::kMwBind == access::kMwBind &&
                  mm::access::kZeroBased == access::kZeroBased && mm::access::kOnDemand == access::kOnDemand &&
                  mm::access::kHugeTlb == access::kHugeTlb && mm::access::kRelaxedOrdering == access::kRelaxedOrdering,
              "mm and rxe agree on the access bits");
static_assert(local_error(mm::AccessFault::kUnknownKey) == VendorError::kLocalUnknownKey &&
              local_error(mm::AccessFault::kBusy) == VendorError::kLocalBusy &&
              local_error(mm::AccessFault::kNotMapped) == VendorError::kLocalNotMapped);
static_assert(key_error(mm::AccessFault::kUnknownKey) == VendorError::kKeyUnknown &&
              key_error(mm::AccessFault::kBusy) == VendorError::kKeyBusy);

using V = VendorError;
using W = WcStatus;

constexpr VendorErrorEntry kTable[] = {
    {V::kLocalUnknownKey, W::kLocProtErr, "LOCAL_UNKNOWN_KEY",
     "An lkey of the request names no region, or an earlier owner of its index."},
    {V::kLocalNotValid, W::kLocProtErr, "LOCAL_NOT_VALID",
     "The region is not mapped: not yet fast-registered, or invalidated."},
    {V::kLocalWrongPd, W::kLocProtErr, "LOCAL_WRONG_PD",
     "The region belongs to another protection domain than the QP (an SRQ's receives: than the SRQ)."},
    {V::kLocalWrongQp, W::kLocProtErr, "LOCAL_WRONG_QP",
     "Not used for local accesses; kept so that the numbers follow the access faults."},
    {V::kLocalNoRight, W::kLocProtErr, "LOCAL_NO_RIGHT",
     "The bytes are to be written here and the region was registered without LOCAL_WRITE."},
    {V::kLocalOutOfRange, W::kLocProtErr, "LOCAL_OUT_OF_RANGE", "A piece of the request leaves its region."},
    {V::kLocalWrongKind, W::kLocProtErr, "LOCAL_WRONG_KIND",
     "Not used for local accesses; kept so that the numbers follow the access faults."},
    {V::kLocalBusy, W::kLocProtErr, "LOCAL_BUSY",
     "Not used for local accesses; kept so that the numbers follow the access faults."},
    {V::kLocalNotMapped, W::kLocProtErr, "LOCAL_NOT_MAPPED",
     "The region is on demand, and there is no memory behind a piece of the request, or none for this access."},
    {V::kMessageTooLong, W::kLocLenErr, "MESSAGE_TOO_LONG",
     "The pieces of a send request add up to more than max_msg_size."},
    {V::kReceiveTooShort, W::kLocLenErr, "RECEIVE_TOO_SHORT",
     "An incoming message is longer than the receive request that it consumed."},
    {V::kResponseTooLong, W::kLocLenErr, "RESPONSE_TOO_LONG",
     "A read response brings more bytes than the request has room for."},
    {V::kBadAddressHandle, W::kLocQpOpErr, "BAD_ADDRESS_HANDLE",
     "The address handle of a datagram has been destroyed since the request was posted."},
    {V::kAddressWrongPd, W::kLocQpOpErr, "ADDRESS_WRONG_PD",
     "The address handle belongs to another protection domain than the QP."},
    {V::kDatagramBeyondMtu, W::kLocLenErr, "DATAGRAM_BEYOND_MTU", "A datagram is longer than the port's MTU."},
    {V::kResponderAccess, W::kLocAccessErr, "RESPONDER_ACCESS",
     "As responder: a peer's request was refused (remote access error), so this QP is in error."},
    {V::kResponderInvalidRequest, W::kLocQpOpErr, "RESPONDER_INVALID_REQUEST",
     "As responder: a peer's request broke the protocol (invalid request), so this QP is in error."},
    {V::kKeyUnknown, W::kMwBindErr, "KEY_UNKNOWN",
     "Bind, fast registration or local invalidation names no region or window, or a key already in use."},
    {V::kKeyNotValid, W::kMwBindErr, "KEY_NOT_VALID",
     "The region to bind to is not mapped, or the key to invalidate is already invalid."},
    {V::kKeyWrongPd, W::kMwBindErr, "KEY_WRONG_PD", "Window, region and QP are not all of one protection domain."},
    {V::kKeyWrongQp, W::kMwBindErr, "KEY_WRONG_QP", "A type 2 window that is bound to another QP."},
    {V::kKeyNoRight, W::kMwBindErr, "KEY_NO_RIGHT",
     "The region lacks MW_BIND or LOCAL_WRITE for the rights asked for, or the rights contradict each other."},
    {V::kKeyOutOfRange, W::kMwBindErr, "KEY_OUT_OF_RANGE",
     "The window leaves its region, a type 2 window is empty, or the registration is longer than alloc_mr allowed."},
    {V::kKeyWrongKind, W::kMwBindErr, "KEY_WRONG_KIND",
     "This kind of region or window does not take part: invalidating a type 1 window or a region of ibv_reg_mr, "
     "zero-based binds of type 1 or onto a zero-based region."},
    {V::kKeyBusy, W::kMwBindErr, "KEY_BUSY",
     "A type 2 window that is bound already, a region that is mapped already, or one to which windows are bound."},
    {V::kNakInvalidRequest, W::kRemInvReqErr, "NAK_INVALID_REQUEST",
     "The peer answered NAK invalid request: it could not make sense of the request, or its receive was too short."},
    {V::kNakRemoteAccess, W::kRemAccessErr, "NAK_REMOTE_ACCESS",
     "The peer answered NAK remote access error: rkey, range or rights of the remote memory do not permit the "
     "request."},
    {V::kNakRemoteOperational, W::kRemOpErr, "NAK_REMOTE_OPERATIONAL",
     "The peer answered NAK remote operational error: the fault is its own."},
    {V::kNakReserved, W::kBadRespErr, "NAK_RESERVED",
     "The peer answered with a NAK code that the specification reserves."},
    {V::kUnexpectedOpcode, W::kBadRespErr, "UNEXPECTED_OPCODE",
     "The response does not belong to the request that waits for it."},
    {V::kResponseLength, W::kBadRespErr, "RESPONSE_LENGTH",
     "A read response's packet is not as long as its place in the message demands."},
    {V::kResponseOrder, W::kBadRespErr, "RESPONSE_ORDER",
     "The packets of a read response contradict each other (first, middle, last)."},
    {V::kAckTimeout, W::kRetryExcErr, "ACK_TIMEOUT",
     "No acknowledgement came in time, and retry_cnt repetitions did not help: the peer is dead, unreachable or not "
     "connected."},
    {V::kSequenceRetries, W::kRetryExcErr, "SEQUENCE_RETRIES",
     "The peer kept answering NAK sequence error through retry_cnt repetitions."},
    {V::kImpliedNakRetries, W::kRetryExcErr, "IMPLIED_NAK_RETRIES",
     "Read or atomic responses kept being lost through retry_cnt repetitions."},
    {V::kRnrRetries, W::kRnrRetryExcErr, "RNR_RETRIES",
     "The peer had no receive request posted through rnr_retry repetitions."},
    {V::kFlushedByModify, W::kWrFlushErr, "FLUSHED_BY_MODIFY", "The application took the QP to ERR."},
    {V::kFlushedByError, W::kWrFlushErr, "FLUSHED_BY_ERROR", "Another request's error took the QP to ERR."},
    {V::kFlushedBySqe, W::kWrFlushErr, "FLUSHED_BY_SQE",
     "Another request's error took the send queue to SQE (UC and UD)."},
    {V::kCqOverflow, W::kWrFlushErr, "CQ_OVERFLOW",
     "A completion queue of the QP overflowed, which took the QP to ERR; seen on its other queue."},
};

}  // namespace

std::span<const VendorErrorEntry> vendor_error_table() { return kTable; }

std::string_view name(VendorError error) {
  if (error == VendorError::kNone) return "NONE";
  for (const VendorErrorEntry& entry : kTable) {
    if (entry.value == error) return entry.name;
  }
  return "?";
}

std::string_view name(WcStatus status) {
  switch (status) {
    case W::kSuccess:
      return "SUCCESS";
    case W::kLocLenErr:
      return "LOC_LEN_ERR";
    case W::kLocQpOpErr:
      return "LOC_QP_OP_ERR";
    case W::kLocEecOpErr:
      return "LOC_EEC_OP_ERR";
    case W::kLocProtErr:
      return "LOC_PROT_ERR";
    case W::kWrFlushErr:
      return "WR_FLUSH_ERR";
    case W::kMwBindErr:
      return "MW_BIND_ERR";
    case W::kBadRespErr:
      return "BAD_RESP_ERR";
    case W::kLocAccessErr:
      return "LOC_ACCESS_ERR";
    case W::kRemInvReqErr:
      return "REM_INV_REQ_ERR";
    case W::kRemAccessErr:
      return "REM_ACCESS_ERR";
    case W::kRemOpErr:
      return "REM_OP_ERR";
    case W::kRetryExcErr:
      return "RETRY_EXC_ERR";
    case W::kRnrRetryExcErr:
      return "RNR_RETRY_EXC_ERR";
    case W::kGeneralErr:
      return "GENERAL_ERR";
  }
  return "?";
}

}  // namespace rocelab::rxe
