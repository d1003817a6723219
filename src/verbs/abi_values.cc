// Proof, at compile time, that the engine's numbers are those of <infiniband/verbs.h>, by which conversions are casts.
#include <infiniband/verbs.h>

#include "rxe/device.h"
#include "rxe/types.h"

namespace rocelab::verbs {
namespace {

template <class Ours, class Theirs>
constexpr bool same(Ours ours, Theirs theirs) {
  return static_cast<long>(ours) == static_cast<long>(theirs);
}

static_assert(same(rxe::QpType::kRc, IBV_QPT_RC));
static_assert(same(rxe::QpType::kUc, IBV_QPT_UC));
static_assert(same(rxe::QpType::kUd, IBV_QPT_UD));
static_assert(same(rxe::QpType::kRawPacket, IBV_QPT_RAW_PACKET));
static_assert(same(rxe::FlowType::kNormal, IBV_FLOW_ATTR_NORMAL));
static_assert(same(rxe::FlowType::kAllDefault, IBV_FLOW_ATTR_ALL_DEFAULT));
static_assert(same(rxe::FlowType::kMulticastDefault, IBV_FLOW_ATTR_MC_DEFAULT));
static_assert(same(rxe::FlowType::kSniffer, IBV_FLOW_ATTR_SNIFFER));
static_assert(same(rxe::QpType::kXrcSend, IBV_QPT_XRC_SEND));
static_assert(same(rxe::QpType::kXrcRecv, IBV_QPT_XRC_RECV));

static_assert(same(rxe::QpState::kReset, IBV_QPS_RESET));
static_assert(same(rxe::QpState::kInit, IBV_QPS_INIT));
static_assert(same(rxe::QpState::kRtr, IBV_QPS_RTR));
static_assert(same(rxe::QpState::kRts, IBV_QPS_RTS));
static_assert(same(rxe::QpState::kSqd, IBV_QPS_SQD));
static_assert(same(rxe::QpState::kSqe, IBV_QPS_SQE));
static_assert(same(rxe::QpState::kErr, IBV_QPS_ERR));

static_assert(same(rxe::PathMtu::k256, IBV_MTU_256));
static_assert(same(rxe::PathMtu::k512, IBV_MTU_512));
static_assert(same(rxe::PathMtu::k1024, IBV_MTU_1024));
static_assert(same(rxe::PathMtu::k2048, IBV_MTU_2048));
static_assert(same(rxe::PathMtu::k4096, IBV_MTU_4096));

static_assert(same(rxe::access::kLocalWrite, IBV_ACCESS_LOCAL_WRITE));
static_assert(same(rxe::access::kRemoteWrite, IBV_ACCESS_REMOTE_WRITE));
static_assert(same(rxe::access::kRemoteRead, IBV_ACCESS_REMOTE_READ));
static_assert(same(rxe::access::kRemoteAtomic, IBV_ACCESS_REMOTE_ATOMIC));
static_assert(same(rxe::access::kMwBind, IBV_ACCESS_MW_BIND));
static_assert(same(rxe::access::kZeroBased, IBV_ACCESS_ZERO_BASED));
static_assert(same(rxe::access::kOnDemand, IBV_ACCESS_ON_DEMAND));
static_assert(same(rxe::access::kHugeTlb, IBV_ACCESS_HUGETLB));
static_assert(same(rxe::access::kRelaxedOrdering, IBV_ACCESS_RELAXED_ORDERING));

static_assert(same(rxe::qp_attr::kState, IBV_QP_STATE));
static_assert(same(rxe::qp_attr::kCurState, IBV_QP_CUR_STATE));
static_assert(same(rxe::qp_attr::kEnSqdAsyncNotify, IBV_QP_EN_SQD_ASYNC_NOTIFY));
static_assert(same(rxe::qp_attr::kAccessFlags, IBV_QP_ACCESS_FLAGS));
static_assert(same(rxe::qp_attr::kPkeyIndex, IBV_QP_PKEY_INDEX));
static_assert(same(rxe::qp_attr::kPort, IBV_QP_PORT));
static_assert(same(rxe::qp_attr::kQkey, IBV_QP_QKEY));
static_assert(same(rxe::qp_attr::kAv, IBV_QP_AV));
static_assert(same(rxe::qp_attr::kPathMtu, IBV_QP_PATH_MTU));
static_assert(same(rxe::qp_attr::kTimeout, IBV_QP_TIMEOUT));
static_assert(same(rxe::qp_attr::kRetryCnt, IBV_QP_RETRY_CNT));
static_assert(same(rxe::qp_attr::kRnrRetry, IBV_QP_RNR_RETRY));
static_assert(same(rxe::qp_attr::kRqPsn, IBV_QP_RQ_PSN));
static_assert(same(rxe::qp_attr::kMaxQpRdAtomic, IBV_QP_MAX_QP_RD_ATOMIC));
static_assert(same(rxe::qp_attr::kAltPath, IBV_QP_ALT_PATH));
static_assert(same(rxe::qp_attr::kMinRnrTimer, IBV_QP_MIN_RNR_TIMER));
static_assert(same(rxe::qp_attr::kSqPsn, IBV_QP_SQ_PSN));
static_assert(same(rxe::qp_attr::kMaxDestRdAtomic, IBV_QP_MAX_DEST_RD_ATOMIC));
static_assert(same(rxe::qp_attr::kPathMigState, IBV_QP_PATH_MIG_STATE));
static_assert(same(rxe::qp_attr::kCap, IBV_QP_CAP));
static_assert(same(rxe::qp_attr::kDestQpn, IBV_QP_DEST_QPN));
static_assert(same(rxe::qp_attr::kRateLimit, IBV_QP_RATE_LIMIT));

static_assert(same(rxe::send_flag::kFence, IBV_SEND_FENCE));
static_assert(same(rxe::send_flag::kSignaled, IBV_SEND_SIGNALED));
static_assert(same(rxe::send_flag::kSolicited, IBV_SEND_SOLICITED));
static_assert(same(rxe::send_flag::kInline, IBV_SEND_INLINE));

static_assert(same(rxe::SendOpcode::kRdmaWrite, IBV_WR_RDMA_WRITE));
static_assert(same(rxe::SendOpcode::kRdmaWriteWithImm, IBV_WR_RDMA_WRITE_WITH_IMM));
static_assert(same(rxe::SendOpcode::kSend, IBV_WR_SEND));
static_assert(same(rxe::SendOpcode::kSendWithImm, IBV_WR_SEND_WITH_IMM));
static_assert(same(rxe::SendOpcode::kRdmaRead, IBV_WR_RDMA_READ));
static_assert(same(rxe::SendOpcode::kAtomicCmpAndSwp, IBV_WR_ATOMIC_CMP_AND_SWP));
static_assert(same(rxe::SendOpcode::kAtomicFetchAndAdd, IBV_WR_ATOMIC_FETCH_AND_ADD));
static_assert(same(rxe::SendOpcode::kLocalInv, IBV_WR_LOCAL_INV));
static_assert(same(rxe::SendOpcode::kBindMw, IBV_WR_BIND_MW));
static_assert(same(rxe::SendOpcode::kSendWithInv, IBV_WR_SEND_WITH_INV));

static_assert(same(rxe::WcStatus::kSuccess, IBV_WC_SUCCESS));
static_assert(same(rxe::WcStatus::kLocLenErr, IBV_WC_LOC_LEN_ERR));
static_assert(same(rxe::WcStatus::kLocQpOpErr, IBV_WC_LOC_QP_OP_ERR));
static_assert(same(rxe::WcStatus::kLocEecOpErr, IBV_WC_LOC_EEC_OP_ERR));
static_assert(same(rxe::WcStatus::kLocProtErr, IBV_WC_LOC_PROT_ERR));
static_assert(same(rxe::WcStatus::kWrFlushErr, IBV_WC_WR_FLUSH_ERR));
static_assert(same(rxe::WcStatus::kMwBindErr, IBV_WC_MW_BIND_ERR));
static_assert(same(rxe::WcStatus::kBadRespErr, IBV_WC_BAD_RESP_ERR));
static_assert(same(rxe::WcStatus::kLocAccessErr, IBV_WC_LOC_ACCESS_ERR));
static_assert(same(rxe::WcStatus::kRemInvReqErr, IBV_WC_REM_INV_REQ_ERR));
static_assert(same(rxe::WcStatus::kRemAccessErr, IBV_WC_REM_ACCESS_ERR));
static_assert(same(rxe::WcStatus::kRemOpErr, IBV_WC_REM_OP_ERR));
static_assert(same(rxe::WcStatus::kRetryExcErr, IBV_WC_RETRY_EXC_ERR));
static_assert(same(rxe::WcStatus::kRnrRetryExcErr, IBV_WC_RNR_RETRY_EXC_ERR));
static_assert(same(rxe::WcStatus::kGeneralErr, IBV_WC_GENERAL_ERR));

static_assert(same(rxe::WcOpcode::kSend, IBV_WC_SEND));
static_assert(same(rxe::WcOpcode::kRdmaWrite, IBV_WC_RDMA_WRITE));
static_assert(same(rxe::WcOpcode::kRdmaRead, IBV_WC_RDMA_READ));
static_assert(same(rxe::WcOpcode::kCompSwap, IBV_WC_COMP_SWAP));
static_assert(same(rxe::WcOpcode::kFetchAdd, IBV_WC_FETCH_ADD));
static_assert(same(rxe::WcOpcode::kBindMw, IBV_WC_BIND_MW));
static_assert(same(rxe::WcOpcode::kLocalInv, IBV_WC_LOCAL_INV));
static_assert(same(rxe::SendOpcode::kAtomicWrite, IBV_WR_ATOMIC_WRITE));
static_assert(same(rxe::WcOpcode::kAtomicWrite, IBV_WC_ATOMIC_WRITE));
static_assert(same(rxe::WcOpcode::kRecv, IBV_WC_RECV));
static_assert(same(rxe::WcOpcode::kRecvRdmaWithImm, IBV_WC_RECV_RDMA_WITH_IMM));

static_assert(same(rxe::wc_flag::kGrh, IBV_WC_GRH));
static_assert(same(rxe::wc_flag::kWithImm, IBV_WC_WITH_IMM));
static_assert(same(rxe::wc_flag::kWithInv, IBV_WC_WITH_INV));

static_assert(same(rxe::Device::ReregMask::kTranslation, IBV_REREG_MR_CHANGE_TRANSLATION));
static_assert(same(rxe::Device::ReregMask::kPd, IBV_REREG_MR_CHANGE_PD));
static_assert(same(rxe::Device::ReregMask::kAccess, IBV_REREG_MR_CHANGE_ACCESS));

static_assert(same(rxe::MwType::k1, IBV_MW_TYPE_1));
static_assert(same(rxe::MwType::k2, IBV_MW_TYPE_2));

static_assert(same(rxe::GidType::kRoceV1, IBV_GID_TYPE_ROCE_V1));
static_assert(same(rxe::GidType::kRoceV2, IBV_GID_TYPE_ROCE_V2));

static_assert(same(rxe::EventType::kCqErr, IBV_EVENT_CQ_ERR));
static_assert(same(rxe::EventType::kQpFatal, IBV_EVENT_QP_FATAL));
static_assert(same(rxe::EventType::kQpReqErr, IBV_EVENT_QP_REQ_ERR));
static_assert(same(rxe::EventType::kQpAccessErr, IBV_EVENT_QP_ACCESS_ERR));
static_assert(same(rxe::EventType::kCommEst, IBV_EVENT_COMM_EST));
static_assert(same(rxe::EventType::kSqDrained, IBV_EVENT_SQ_DRAINED));
static_assert(same(rxe::EventType::kPortActive, IBV_EVENT_PORT_ACTIVE));
static_assert(same(rxe::EventType::kPortErr, IBV_EVENT_PORT_ERR));
static_assert(same(rxe::EventType::kSrqErr, IBV_EVENT_SRQ_ERR));
static_assert(same(rxe::EventType::kSrqLimitReached, IBV_EVENT_SRQ_LIMIT_REACHED));
static_assert(same(rxe::EventType::kQpLastWqeReached, IBV_EVENT_QP_LAST_WQE_REACHED));
static_assert(same(rxe::EventType::kGidChange, IBV_EVENT_GID_CHANGE));

}  // namespace
}  // namespace rocelab::verbs
