// A host without an engine: sends the packets that a test has queued, notes those that arrive. Obeys pauses as every
// port does; may pause its switch itself.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "sim/fabric/packet_pool.h"
#include "sim/fabric/port.h"
#include "sim/kernel/node.h"

namespace rocelab::sim::test {

/// What a test asks a host to send.
struct SendRequest {
  NodeId destination = kNoNode;
  std::uint32_t payload_bytes = 1000;
  std::uint32_t header_bytes = 66 + kEthernetGapBytes;  ///< of wire bytes, besides the payload
  std::uint8_t priority = 3;
  std::uint16_t flags = packet_flag::kData;
  Ecn ecn = Ecn::kCapable0;
  std::uint32_t flow_hash = 0;
  std::uint64_t user = 0;
};

/// What a host noted of a packet.
struct Received {
  std::uint64_t time_ps = 0;
  NodeId source = kNoNode;
  std::uint64_t user = 0;
  std::uint32_t wire_bytes = 0;
  std::uint32_t payload_bytes = 0;
  std::uint8_t priority = 0;
  std::uint16_t flags = 0;
  Ecn ecn = Ecn::kNotCapable;
  std::vector<wire::HopTelemetry> telemetry;
};

class StubHost final : public Node {
 public:
  enum Kind : std::uint16_t {
    kSend = event_kind::kFirstOfNode,  ///< argument: index into `scheduled`
    kPause,                            ///< argument: priorities | quanta << 8
  };

  explicit StubHost(PacketPools& pools) : pools_(pools) {}

  Port port;
  std::vector<std::vector<SendRequest>> scheduled;  ///< batches, each started by a kSend event
  std::vector<Received> received;
  std::uint64_t received_bytes = 0;  ///< frames
  std::uint64_t sent = 0;
  bool keep_log = true;

  void handle_event(Context& context, const Event& event) override {
    Source source{*this};
    switch (event.kind) {
      case event_kind::kArrival: {
        auto* packet = reinterpret_cast<Packet*>(static_cast<std::uintptr_t>(event.argument));
        if (port.accept(context, packet, source, pools_) != Port::Arrival::kPacket) return;
        note(context, *packet);
        pools_.at(context.partition()).free(packet);
        break;
      }
      case event_kind::kPortFree:
        port.handle_free(context, source);
        break;
      case event_kind::kPauseExpired:
        port.handle_pause_expired(context, source);
        break;
      case event_kind::kLinkState:
        port.handle_link_state(context, event.argument != 0, source, pools_);
        break;
      case event_kind::kBitErrors:
        port.set_bit_errors(event.argument, base::Rng(7, "stub"), pools_);
        break;
      case kSend:
        for (const SendRequest& request : scheduled[event.argument]) queues_[request.priority].push_back(request);
        port.kick(context, source);
        break;
      case kPause:
        port.send_pause(context, static_cast<std::uint8_t>(event.argument & 0xff),
                        static_cast<std::uint16_t>(event.argument >> 8), source, pools_);
        break;
      default:
        break;
    }
  }

  std::size_t waiting() const {
    std::size_t sum = 0;
    for (const auto& queue : queues_) sum += queue.size();
    return sum;
  }

 private:
  struct Source {
    StubHost& host;
    Packet* next(Context& context, std::uint8_t paused_mask) { return host.next(context, paused_mask); }
    bool has_more(std::uint8_t paused_mask) const {
      for (unsigned i = 0; i < kPriorities; ++i) {
        if ((paused_mask >> i & 1) == 0 && !host.queues_[i].empty()) return true;
      }
      return false;
    }
    const Packet* upcoming() const { return nullptr; }
  };

  Packet* next(Context& context, std::uint8_t paused_mask) {
    for (unsigned i = kPriorities; i-- > 0;) {
      if ((paused_mask >> i & 1) != 0 || queues_[i].empty()) continue;
      const SendRequest request = queues_[i].front();
      queues_[i].pop_front();
      Packet* packet = pools_.at(context.partition()).allocate();
      packet->source = id();
      packet->destination = request.destination;
      packet->payload_bytes = request.payload_bytes;
      packet->wire_bytes = request.payload_bytes + request.header_bytes;
      packet->priority = request.priority;
      packet->flags = request.flags;
      packet->ecn = request.ecn;
      packet->flow_hash = request.flow_hash;
      packet->user = request.user;
      ++sent;
      return packet;
    }
    return nullptr;
  }

  void note(Context& context, const Packet& packet) {
    received_bytes += packet.frame_bytes();
    if (!keep_log) return;
    Received entry{context.now().count_ps(),
                   packet.source,
                   packet.user,
                   packet.wire_bytes,
                   packet.payload_bytes,
                   packet.priority,
                   packet.flags,
                   packet.ecn,
                   {}};
    for (std::size_t i = 0; i < packet.telemetry_hops; ++i) entry.telemetry.push_back(packet.extras->telemetry[i]);
    received.push_back(std::move(entry));
  }

  PacketPools& pools_;
  std::deque<SendRequest> queues_[kPriorities];
};

}  // namespace rocelab::sim::test
