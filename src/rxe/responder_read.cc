// See responder_read.h.
#include "rxe/responder_read.h"

#include <atomic>
#include <cstring>

#include "rxe/responder.h"
#include "rxe/selective_responder.h"
#include "rxe/transmit.h"

namespace rocelab::rxe::responder {

namespace {

constexpr std::uint32_t kAtomicBytes = 8;

/// The request is executed and counted; its response acknowledges everything before it (and itself).
ResponderResource& accept(Engine& engine, Qp& qp, const wire::Packet& packet, ResponderResource::Kind kind,
                          std::uint32_t packets) {
  ResponderState& responder = qp.responder;
  ResponderResource& resource = qp.resources.push();
  responder.msn = (responder.msn + 1) & wire::Psn::kMask;  // C9-148: a READ counts when it is accepted
  resource.kind = kind;
  resource.first_psn = packet.bth.psn;
  resource.packet_count = packets;
  resource.msn = responder.msn;
  responder.expected_psn = responder.expected_psn + packets;
  responder.owed = OwedAck::kNone;
  engine.ready.add(qp);
  return resource;
}

std::uint64_t changed(const wire::AtomicEth& operands, bool swaps, std::uint64_t found) {
  if (!swaps) return found + operands.swap_or_add;
  return found == operands.compare ? operands.swap_or_add : found;
}

/// In on-demand memory: one after the other with the device's other atomics (IBV_ATOMIC_HCA), not with the processor's.
/// false: the memory is not there.
bool execute_guarded(std::byte* host, const wire::AtomicEth& operands, bool swaps, std::uint64_t& found) {
  auto* const found_bytes = reinterpret_cast<std::byte*>(&found);
  if (!base::guarded_read(found_bytes, host, sizeof found)) return false;
  const std::uint64_t value = changed(operands, swaps, found);
  return base::guarded_write(host, reinterpret_cast<const std::byte*>(&value), sizeof value);
}

/// Executes an atomic; `found` is what was there. false: on-demand memory is not. Memory is shared with the
/// application's threads, and with other processes when it is mapped so: an aligned word is changed atomically.
bool execute(std::byte* host, const wire::Packet& packet, std::uint64_t& found) {
  if (host == nullptr) return true;  // elided
  const wire::AtomicEth& operands = packet.atomic_eth;
  const bool swaps = wire::operation_of(packet.bth.opcode) == wire::Operation::kCompareSwap;
  if (base::is_guarded(host)) [[unlikely]]
    return execute_guarded(host, operands, swaps, found);
  if ((reinterpret_cast<std::uintptr_t>(host) & 7) == 0) {
    std::atomic_ref word(*reinterpret_cast<std::uint64_t*>(host));
    if (swaps) {
      found = operands.compare;
      word.compare_exchange_strong(found, operands.swap_or_add);
    } else {
      found = word.fetch_add(operands.swap_or_add);
    }
    return true;
  }
  // Aligned as the peer sees it, not in memory: there is no atomic instruction for that.
  std::memcpy(&found, host, sizeof found);
  const std::uint64_t value = changed(operands, swaps, found);
  std::memcpy(host, &value, sizeof value);
  return true;
}

/// A run of a READ's execution begins (anew) at this packet's PSN.
void start_run(ResponderResource& resource, const wire::Packet& packet, std::uint32_t mtu) {
  resource.run_psn = packet.bth.psn;
  resource.run_packets = packets_of(packet.reth.dma_length, mtu);
  resource.run_sent = 0;
  resource.run_addr = packet.reth.virtual_address;
  resource.run_length = packet.reth.dma_length;
}

}  // namespace

void handle_read(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  const wire::Reth& reth = packet.reth;
  if (reth.dma_length > engine.options.limits.max_msg_size || packet.payload.length != 0 || !qp.resources.has_room()) {
    return refuse(engine, qp, now, packet.bth.psn, Refusal::kInvalidRequest);
  }
  if ((qp.remote_access & access::kRemoteRead) == 0) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  const mm::Translation found = engine.regions.check_remote(reth.rkey, qp.pd_number, qp.qpn, reth.virtual_address,
                                                            reth.dma_length, access::kRemoteRead);
  if (!found.ok()) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  ResponderResource& resource =
      accept(engine, qp, packet, ResponderResource::Kind::kRead, packets_of(reth.dma_length, qp.mtu));
  resource.rkey = reth.rkey;
  resource.pd = qp.pd_number;
  resource.addr = reth.virtual_address;
  resource.length = reth.dma_length;
  start_run(resource, packet, qp.mtu);
  resource.run_host = found.host;
  resource.generation = engine.regions.generation();
}

void handle_atomic(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  const wire::AtomicEth& operands = packet.atomic_eth;
  // IBTA vol 1, 9.4.5: the address is a multiple of 8.
  if (operands.virtual_address % kAtomicBytes != 0 || !qp.resources.has_room()) {
    return refuse(engine, qp, now, packet.bth.psn, Refusal::kInvalidRequest);
  }
  if ((qp.remote_access & access::kRemoteAtomic) == 0) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  const mm::Translation found = engine.regions.check_remote(
      operands.rkey, qp.pd_number, qp.qpn, operands.virtual_address, kAtomicBytes, access::kRemoteAtomic);
  if (!found.ok()) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  std::uint64_t original = 0;
  if (!execute(found.host, packet, original)) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  accept(engine, qp, packet, ResponderResource::Kind::kAtomic, 1).original = original;
}

void handle_atomic_write(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  const wire::Reth& reth = packet.reth;
  if (reth.virtual_address % kAtomicBytes != 0 || reth.dma_length != kAtomicBytes ||
      packet.payload.length != kAtomicBytes || !qp.resources.has_room()) {
    return refuse(engine, qp, now, packet.bth.psn, Refusal::kInvalidRequest);
  }
  // A write like others as to rights, as the kernel's rxe has it.
  if ((qp.remote_access & access::kRemoteWrite) == 0) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  const mm::Translation found = engine.regions.check_remote(reth.rkey, qp.pd_number, qp.qpn, reth.virtual_address,
                                                            kAtomicBytes, access::kRemoteWrite);
  if (!found.ok()) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  // place_bytes stores an aligned word at once, behind everything before it.
  if (found.host != nullptr && packet.payload.data != nullptr &&
      !place_bytes(found.host, packet.payload.data, kAtomicBytes)) {
    return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  }
  accept(engine, qp, packet, ResponderResource::Kind::kConfirmed, 1);
}

void handle_flush(Engine& engine, Qp& qp, TimePoint now, const wire::Packet& packet) {
  const wire::Feth& feth = packet.feth;
  constexpr unsigned kPlacements = wire::Feth::kGlobal | wire::Feth::kPersistent;
  if (feth.placement == 0 || (feth.placement & ~kPlacements) != 0 || feth.selectivity > wire::Feth::kRegion ||
      !qp.resources.has_room()) {
    return refuse(engine, qp, now, packet.bth.psn, Refusal::kInvalidRequest);
  }
  std::uint32_t needed = 0;
  if ((feth.placement & wire::Feth::kGlobal) != 0) needed |= access::kFlushGlobal;
  if ((feth.placement & wire::Feth::kPersistent) != 0) needed |= access::kFlushPersistent;
  if ((qp.remote_access & needed) != needed) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  // Of a whole region the RETH's length means nothing; its address still has to be in the region.
  const std::uint32_t length = feth.selectivity == wire::Feth::kRegion ? 1 : packet.reth.dma_length;
  const mm::Translation found =
      engine.regions.check_remote(packet.reth.rkey, qp.pd_number, qp.qpn, packet.reth.virtual_address, length, needed);
  if (!found.ok()) return refuse(engine, qp, now, packet.bth.psn, Refusal::kAccess);
  // Everything before has been copied by this processor: visible to all others behind a fence, and persistent where the
  // region's owner has said that its memory is.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  accept(engine, qp, packet, ResponderResource::Kind::kConfirmed, 1);
}

void repeat_read(Engine& engine, Qp& qp, const wire::Packet& packet) {
  ResponderResource* resource = qp.resources.find(packet.bth.psn);
  if (resource == nullptr || resource->kind != ResponderResource::Kind::kRead) {
    ++engine.counters.drop_bad_sequence;
    return;
  }
  // The peer may ask for the remainder only, and must ask for a part of what it asked for before.
  const std::uint32_t index = (packet.bth.psn.value() - resource->first_psn.value()) & wire::Psn::kMask;
  const std::uint64_t offset = std::uint64_t{index} * qp.mtu;
  const wire::Reth& reth = packet.reth;
  if (reth.rkey != resource->rkey || reth.virtual_address != resource->addr + offset ||
      offset + reth.dma_length > resource->length || (reth.dma_length == 0 && resource->length != 0)) {
    ++engine.counters.drop_bad_sequence;
    return;
  }
  if (qp.selective != nullptr) return selective::repeat_read(engine, qp, *resource, packet);
  start_run(*resource, packet, qp.mtu);
  resource->generation = 0;  // the rkey is checked anew
  qp.resources.activate(*resource);
  engine.ready.add(qp);
}

void repeat_recorded(Engine& engine, Qp& qp, const wire::Packet& packet, ResponderResource::Kind kind) {
  ResponderResource* resource = qp.resources.find(packet.bth.psn);
  if (resource == nullptr || resource->kind != kind) {
    ++engine.counters.drop_bad_sequence;
    return;
  }
  qp.resources.activate(*resource);
  engine.ready.add(qp);
}

}  // namespace rocelab::rxe::responder
