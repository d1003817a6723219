// See local_work.h.
#include "rxe/local_work.h"

namespace rocelab::rxe {

namespace {

mm::AccessFault bind_window(mm::RegionTable& regions, const Qp& qp, const SendRequest::Bind& bind) {
  mm::RegionTable::Binding binding;
  binding.window = static_cast<std::uint32_t>(bind.mw);
  binding.region = static_cast<std::uint32_t>(bind.mr);
  binding.pd = qp.pd_number;
  binding.qpn = qp.qpn;
  binding.key = bind.rkey;
  binding.addr = bind.addr;
  binding.length = bind.length;
  binding.access = bind.access;
  return regions.bind(binding);
}

mm::AccessFault register_fast(mm::RegionTable& regions, const Qp& qp, const SendRequest::Register& reg) {
  mm::RegionTable::FastMapping mapping;
  mapping.region = static_cast<std::uint32_t>(reg.mr);
  mapping.pd = qp.pd_number;
  mapping.key = reg.key;
  mapping.host = reg.host;
  mapping.iova = reg.iova;
  mapping.length = reg.length;
  mapping.access = reg.access;
  return regions.map_fast(mapping);
}

}  // namespace

bool execute_local_work(Engine& engine, Qp& qp, SendWqe& wqe) {
  mm::AccessFault fault = mm::AccessFault::kNone;
  switch (wqe.opcode) {
    case SendOpcode::kBindMw:
      fault = bind_window(engine.regions, qp, wqe.bind);
      break;
    case SendOpcode::kRegMr:
      fault = register_fast(engine.regions, qp, wqe.reg);
      break;
    case SendOpcode::kLocalInv:
      fault = engine.regions.invalidate_local(wqe.immediate, qp.pd_number);
      break;
    default:
      break;
  }
  if (fault == mm::AccessFault::kNone) return true;
  wqe.status = wqe.opcode == SendOpcode::kBindMw ? WcStatus::kMwBindErr : WcStatus::kLocQpOpErr;
  wqe.vendor_error = key_error(fault);
  return false;
}

}  // namespace rocelab::rxe
