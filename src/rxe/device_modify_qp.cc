// modify_qp: everything is checked before anything changes. The transitions and their masks are a table (qp_state.h);
// here are the values' ranges and what a transition does.
#include <cerrno>
#include <optional>

#include "rxe/device_impl.h"
#include "rxe/qp_lifecycle.h"
#include "rxe/qp_state.h"
#include "wire/udp.h"

namespace rocelab::rxe {

namespace {

constexpr std::uint32_t kQpnMax = 0xff'ffff;
constexpr std::uint8_t kTimeoutMax = 31, kRetryMax = 7, kRnrTimerMax = 31;
constexpr std::int64_t kAckTimeoutUnitPs = 4'096'000;  ///< IBTA vol 1, 9.7.6.1.3: 4.096 us * 2^timeout

bool has(std::uint32_t mask, std::uint32_t bit) { return (mask & bit) != 0; }

Result<void> check_values(const Engine& engine, const QpAttr& attr, std::uint32_t mask) {
  using namespace qp_attr;  // NOLINT
  const DeviceOptions& options = engine.options;
  if (has(mask, kAltPath | kRateLimit)) return base::fail(EOPNOTSUPP, "no alternate paths and no rate limits");
  if (has(mask, kPkeyIndex) && attr.pkey_index >= options.limits.pkey_table_length) {
    return base::fail(EINVAL, "pkey_index is outside the partition table");
  }
  if (has(mask, kPort) && attr.port != 1) return base::fail(EINVAL, "the device has one port, number 1");
  if (has(mask, kAccessFlags) && (attr.access_flags & ~mm::access::kAll) != 0) {
    return base::fail(EINVAL, "unknown bits in qp_access_flags");
  }
  if (has(mask, kPathMtu) && (attr.path_mtu < PathMtu::k256 || attr.path_mtu > options.port_mtu)) {
    return base::fail(EINVAL, "path_mtu is unknown or more than the port's MTU");
  }
  if (has(mask, kDestQpn) && attr.dest_qpn > kQpnMax) return base::fail(EINVAL, "dest_qp_num is beyond 24 bits");
  if (has(mask, kTimeout) && attr.timeout > kTimeoutMax) return base::fail(EINVAL, "timeout is beyond 31");
  if (has(mask, kRetryCnt) && attr.retry_cnt > kRetryMax) return base::fail(EINVAL, "retry_cnt is beyond 7");
  if (has(mask, kRnrRetry) && attr.rnr_retry > kRetryMax) return base::fail(EINVAL, "rnr_retry is beyond 7");
  if (has(mask, kMinRnrTimer) && attr.min_rnr_timer > kRnrTimerMax) {
    return base::fail(EINVAL, "min_rnr_timer is beyond 31");
  }
  if (has(mask, kMaxQpRdAtomic) && attr.max_rd_atomic > options.limits.max_qp_init_rd_atom) {
    return base::fail(EINVAL, "max_rd_atomic is more than max_qp_init_rd_atom");
  }
  if (has(mask, kMaxDestRdAtomic) && attr.max_dest_rd_atomic > options.limits.max_qp_rd_atom) {
    return base::fail(EINVAL, "max_dest_rd_atomic is more than max_qp_rd_atom");
  }
  return {};
}

void apply_connection(Engine& engine, Qp& qp, const QpAttr& attr, std::uint32_t mask,
                      const std::optional<wire::Path>& path) {
  using namespace qp_attr;  // NOLINT
  if (has(mask, kDestQpn)) {
    qp.attr.dest_qpn = attr.dest_qpn;
    qp.packet.bth.destination_qpn = attr.dest_qpn;
  }
  if (path) {
    qp.attr.av = attr.av;
    qp.packet.path = *path;
    engine.ready.set_priority(qp, path->priority);
    qp.packet.path.udp_source_port = wire::udp_source_port(qp.qpn, qp.attr.dest_qpn);
  }
  if (has(mask, kPathMtu)) {
    qp.attr.path_mtu = attr.path_mtu;
    qp.mtu = engine.options.payload_bytes != 0 ? engine.options.payload_bytes : mtu_bytes(attr.path_mtu);
  }
  if (has(mask, kRqPsn)) {
    qp.attr.rq_psn = attr.rq_psn & wire::Psn::kMask;
    qp.responder.expected_psn = wire::Psn(attr.rq_psn);
    qp.responder.ack_psn = qp.responder.expected_psn - 1;
  }
  if (has(mask, kSqPsn)) {
    qp.attr.sq_psn = attr.sq_psn & wire::Psn::kMask;
    RequesterState& requester = qp.requester;
    requester.next_psn = requester.unacked_psn = requester.high_psn = qp.attr.sq_psn;
  }
}

void apply_values(Qp& qp, const QpAttr& attr, std::uint32_t mask) {
  using namespace qp_attr;  // NOLINT
  if (has(mask, kEnSqdAsyncNotify)) qp.attr.en_sqd_async_notify = attr.en_sqd_async_notify;
  if (has(mask, kAccessFlags)) {
    qp.attr.access_flags = attr.access_flags;
    qp.remote_access = attr.access_flags;
  }
  if (has(mask, kPkeyIndex)) qp.attr.pkey_index = attr.pkey_index;
  if (has(mask, kPort)) qp.attr.port = attr.port;
  if (has(mask, kQkey)) qp.attr.qkey = attr.qkey;
  if (has(mask, kTimeout)) {
    qp.attr.timeout = attr.timeout;
    qp.ack_timeout = attr.timeout == 0 ? Duration() : Duration::ps(kAckTimeoutUnitPs << attr.timeout);
  }
  if (has(mask, kRetryCnt)) qp.attr.retry_cnt = qp.requester.retries_left = attr.retry_cnt;
  if (has(mask, kRnrRetry)) qp.attr.rnr_retry = qp.requester.rnr_retries_left = attr.rnr_retry;
  if (has(mask, kMinRnrTimer)) qp.attr.min_rnr_timer = attr.min_rnr_timer;
  if (has(mask, kMaxQpRdAtomic)) qp.attr.max_rd_atomic = attr.max_rd_atomic;
  if (has(mask, kMaxDestRdAtomic) && qp.attr.max_dest_rd_atomic != attr.max_dest_rd_atomic) {
    qp.attr.max_dest_rd_atomic = attr.max_dest_rd_atomic;
    qp.resources.resize(attr.max_dest_rd_atomic);
  }
}

/// What the transition itself does, once the attributes are in place.
void enter_state(Engine& engine, Qp& qp, TimePoint now, QpState next) {
  if (next == QpState::kErr) {
    enter_error(engine, qp, now, VendorError::kFlushedByModify);
    return;
  }
  const QpState previous = qp.state;
  qp.state = next;
  if (previous == QpState::kRts && next == QpState::kSqd) {
    qp.draining = true;
    note_drained(engine, qp);
  } else if (next == QpState::kRts) {
    qp.draining = false;
    if (previous == QpState::kRtr && !qp.is_datagram() && qp.congestion == nullptr) {
      qp.congestion = make_congestion_controller(engine.options.congestion_control, engine.options.link_bits_per_s,
                                                 qp.mtu, engine.options.congestion);
    }
    engine.ready.add(qp);
  }
}

}  // namespace

Result<void> Device::modify_qp(TimePoint now, Qpn qpn, const QpAttr& attr, std::uint32_t mask) {
  Engine& engine = *impl_;
  Qp* const found = engine.find_qp(qpn);
  if (found == nullptr) return base::fail(EINVAL, "no such queue pair");
  Qp& qp = *found;
  const QpState next = has(mask, qp_attr::kState) ? attr.state : qp.state;
  if (has(mask, qp_attr::kCurState) && attr.cur_state != qp.state) {
    return base::fail(EINVAL, "cur_qp_state is not the QP's state");
  }
  if (const auto checked = check_modify(qp.type, qp.state, next, mask); !checked) return checked;
  if (const auto checked = check_values(engine, attr, mask); !checked) return checked;
  std::optional<wire::Path> path;
  if (has(mask, qp_attr::kAv)) {
    const bool ecn = engine.options.congestion_control == CongestionControl::kDcqcn ||
                     engine.options.entropy == Entropy::kRecycled || engine.options.ecn_echo;
    const auto made = make_path(engine.gids, attr.av,
                                {.source_mac = engine.options.mac, .use = PathUse::kConnected, .ecn_capable = ecn});
    if (!made) return tl::make_unexpected(made.error());
    path = *made;
  }
  if (next == QpState::kReset) {
    reset_qp(engine, qp);
    qp.congestion.reset();
    qp.entropy.reset();
    return {};
  }
  apply_connection(engine, qp, attr, mask, path);
  apply_values(qp, attr, mask);
  enter_state(engine, qp, now, next);
  settle(engine, qp, now);
  return {};
}

}  // namespace rocelab::rxe
