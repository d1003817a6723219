// The extended way to poll: ibv_start_poll, ibv_next_poll, ibv_end_poll and ibv_wc_read_*. One completion at a time is
// taken from the engine, so that plain ibv_poll_cq on the same queue and QP destruction see a consistent queue.
#include <cerrno>
#include <cstdint>
#include <ctime>
#include <span>

#include "verbs/context.h"
#include "verbs/cq.h"
#include "verbs/wc.h"

namespace rocelab::verbs {
namespace {

int take_next(Cq& cq) {
  rxe::VerbsDevice* device = local_of(cq.context);
  if (device == nullptr || device->poll_cq(cq.id, std::span<rxe::Completion>(&cq.current, 1)) == 0) return ENOENT;
  cq.wr_id = cq.current.wr_id;
  cq.status = static_cast<ibv_wc_status>(cq.current.status);
  return 0;
}

void unlock(Cq& cq) {
  if (!cq.single_threaded) cq.polling.unlock();
}

int start_poll(ibv_cq_ex* queue, ibv_poll_cq_attr* attr) {
  if (attr->comp_mask != 0) return EINVAL;
  Cq& cq = Cq::of(queue);
  if (!cq.single_threaded) cq.polling.lock();
  const int status = take_next(cq);
  if (status != 0) unlock(cq);  // the application does not end what did not start
  return status;
}

int next_poll(ibv_cq_ex* queue) { return take_next(Cq::of(queue)); }

void end_poll(ibv_cq_ex* queue) { unlock(Cq::of(queue)); }

ibv_wc_opcode read_opcode(ibv_cq_ex* queue) { return static_cast<ibv_wc_opcode>(Cq::of(queue).current.opcode); }
std::uint32_t read_vendor_err(ibv_cq_ex* queue) { return Cq::of(queue).current.vendor_err; }
std::uint32_t read_byte_len(ibv_cq_ex* queue) { return Cq::of(queue).current.byte_len; }
__be32 read_imm_data(ibv_cq_ex* queue) { return immediate_or_rkey(Cq::of(queue).current); }
std::uint32_t read_qp_num(ibv_cq_ex* queue) { return Cq::of(queue).current.qp_num; }
std::uint32_t read_src_qp(ibv_cq_ex* queue) { return Cq::of(queue).current.src_qp; }
unsigned int read_wc_flags(ibv_cq_ex* queue) { return Cq::of(queue).current.flags; }
/// Of what no rule has tagged: 0.
std::uint32_t read_flow_tag(ibv_cq_ex* queue) {
  const rxe::Completion& current = Cq::of(queue).current;
  return (current.flags & (rxe::wc_flag::kWithImm | rxe::wc_flag::kWithInv)) == 0 ? current.immediate : 0;
}
std::uint32_t read_slid(ibv_cq_ex*) { return 0; }
std::uint8_t read_sl(ibv_cq_ex* queue) { return Cq::of(queue).current.service_level; }
std::uint8_t read_dlid_path_bits(ibv_cq_ex*) { return 0; }
/// Ticks of hca_core_clock (query_device.cc): picoseconds.
std::uint64_t read_completion_ts(ibv_cq_ex* queue) { return Cq::of(queue).current.timestamp.count_ps(); }

std::uint64_t now_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

/// The completion's age on the engine's clock, taken from the wall clock's time.
std::uint64_t read_completion_wallclock_ns(ibv_cq_ex* queue) {
  if (const rxe::VerbsDevice* device = local_of(Cq::of(queue).context); device != nullptr && device->simulated()) {
    return Cq::of(queue).current.timestamp.count_ps() / 1'000;  // virtual time is the only one there is
  }
  const base::TimePoint now = base::TimePoint::from_ns(now_ns(CLOCK_MONOTONIC));
  const std::int64_t age_ns = (now - Cq::of(queue).current.timestamp).count_ns();
  return now_ns(CLOCK_REALTIME) - static_cast<std::uint64_t>(age_ns > 0 ? age_ns : 0);
}

}  // namespace

void set_extended_operations(Cq& cq) {
  cq.start_poll = start_poll;
  cq.next_poll = next_poll;
  cq.end_poll = end_poll;
  cq.read_opcode = read_opcode;
  cq.read_vendor_err = read_vendor_err;
  cq.read_byte_len = read_byte_len;
  cq.read_imm_data = read_imm_data;
  cq.read_qp_num = read_qp_num;
  cq.read_src_qp = read_src_qp;
  cq.read_wc_flags = read_wc_flags;
  cq.read_flow_tag = read_flow_tag;
  cq.read_slid = read_slid;
  cq.read_sl = read_sl;
  cq.read_dlid_path_bits = read_dlid_path_bits;
  cq.read_completion_ts = read_completion_ts;
  cq.read_completion_wallclock_ns = read_completion_wallclock_ns;
}

}  // namespace rocelab::verbs
