// A switch: output-queued, with one shared packet memory accounted at the ingress, eight classes per port, PFC, ECN
// marking, telemetry, trimming. A node of the simulation; the fabric's assembly makes it, attaches its ports before the
// run and reads counters, samples and findings afterwards. switch.cc is the path of a packet; what is rarer lives in
// setup.cc, pfc.cc (pauses that last: renewal, watchdog, storms), deadlock.cc, sampling.cc, counters.cc and audit.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "sim/fabric/packet.h"
#include "sim/fabric/packet_pool.h"
#include "sim/fabric/port.h"
#include "sim/fabric/routing/routing.h"
#include "sim/fabric/switch/counters.h"
#include "sim/fabric/switch/findings.h"
#include "sim/fabric/switch/options.h"
#include "sim/fabric/switch/samples.h"
#include "sim/fabric/switch/state.h"
#include "sim/kernel/context.h"
#include "sim/kernel/node.h"

namespace rocelab::sim {

class Switch final : public Node {
 public:
  /// Packets that have passed more switches than this go round in circles and are dropped.
  static constexpr std::uint8_t kHopsMax = 64;

  /// `profile`, `routing` and `pools` outlive the switch. `index` is what routing calls it.
  Switch(const SwitchProfile& profile, std::uint32_t index, unsigned ports, Routing& routing, PacketPools& pools,
         std::uint64_t seed);
  ~Switch() override;

  /// Before the run, once it has its id: `link` without node and port number, which the switch fills in.
  void attach(unsigned port, PortOptions link, const SwitchPortOptions& own = {});
  /// After the last attach(): divides the memory. Fails when reserves and headrooms do not fit into it.
  base::TextResult<void> finish_setup();
  void set_link_effects(unsigned port, const LinkEffectsOptions& effects);

  void handle_event(Context& context, const Event& event) override;
  void prepare(const Event& event) const override;

  unsigned port_count() const { return static_cast<unsigned>(ports_.size()); }
  const Port& port(unsigned port) const { return ports_[port].port; }
  std::uint32_t index() const { return index_; }
  std::uint64_t queued_bytes() const;
  std::uint64_t buffer_used_bytes() const { return buffer_.used_bytes(); }
  std::uint64_t buffer_pool_bytes() const { return buffer_.pool_bytes(); }
  /// Bytes in one egress queue.
  std::uint32_t queue_bytes(unsigned port, unsigned priority) const;

  ClassCounters class_counters(unsigned port, unsigned priority, TimePoint now) const;
  /// Sums over ports and classes.
  SwitchTotals totals() const;
  const std::vector<Finding>& findings() const { return findings_; }
  const SwitchSamples& samples() const { return samples_; }
  /// Invariants: what came in has left, waits or was dropped; the buffer's books agree with the queues; no lossless
  /// packet was dropped. The first one that does not hold, as a sentence.
  base::TextResult<void> audit() const;

 private:
  /// Kinds of event of its own.
  enum Kind : std::uint16_t {
    kRenewPauses = event_kind::kFirstOfNode,  ///< port: its xoff_sent classes are told again
    kPauseCheck,                              ///< port, argument: class. Has it been paused for long?
    kProbe,                                   ///< port, argument: Packet*. See deadlock.cc
    kSample,
  };

  /// What Port asks for packets.
  struct Egress {
    Switch& owner;
    SwitchPort& side;
    Packet* next(Context& context, std::uint8_t paused_mask) { return owner.dequeue(context, side, paused_mask); }
    bool has_more(std::uint8_t paused_mask) const { return (side.ready & ~paused_mask) != 0; }
    const Packet* upcoming() const { return owner.upcoming(side); }
  };

  struct PauseWatch;

  void arrive(Context& context, unsigned port, Packet* packet);
  void forward(Context& context, SwitchPort& in, Packet* packet);
  /// False when there is no room; otherwise the buffer is charged.
  bool admit(IngressGroup& group, const EgressQueue& queue, const Packet& packet);
  bool trim(Packet& packet, unsigned out);
  void enqueue(Context& context, SwitchPort& out, EgressQueue& queue, Packet* packet);
  Packet* dequeue(Context& context, SwitchPort& side, std::uint8_t paused_mask);
  /// The head of the queue that is served next unless another class takes its turn.
  const Packet* upcoming(const SwitchPort& side) const;
  void release(const Packet& packet);
  void mark(SwitchPort& side, EgressQueue& queue, Packet& packet);
  static void stamp(Context& context, const SwitchPort& side, Packet& packet);
  void drop(Context& context, Packet* packet, unsigned port, DropReason reason);
  void drop_lossless(Context& context, SwitchPort& in, Packet* packet);
  void send_resumes(Context& context);

  /// The arrays of a class, by port.
  struct Class {
    std::unique_ptr<EgressQueue[]> queues;
    std::unique_ptr<IngressGroup[]> groups;
  };

  /// Makes the class's arrays when it is the first time.
  Class& class_at(unsigned priority) {
    Class& cls = classes_[priority];
    if (cls.queues == nullptr) [[unlikely]]
      create_class(priority);
    return cls;
  }
  void set_bit_errors(unsigned port, std::uint64_t per_1e18);
  void create_class(unsigned priority);
  RareCounters& rare(unsigned port, unsigned priority);

  void send_xoff(Context& context, SwitchPort& in, IngressGroup& group, unsigned priority);
  void end_xoff(Context& context, SwitchPort& in, IngressGroup& group, unsigned priority);
  void renew_pauses(Context& context, SwitchPort& in);
  void note_pauses(Context& context, SwitchPort& side);
  void check_pause(Context& context, SwitchPort& side, unsigned priority);
  void watch(Context& context, SwitchPort& side, unsigned priority, PauseWatch& watch);
  void link_state(Context& context, SwitchPort& side, bool up);
  void flush(Context& context, SwitchPort& side, std::uint8_t classes, DropReason reason);
  void find(FindingKind kind, Context& context, const SwitchPort& side, unsigned priority, Duration lasted);
  PauseWatch& watch_at(unsigned port, unsigned priority);

  void start_probe(Context& context, SwitchPort& side, unsigned priority);
  void follow_probe(Context& context, unsigned in_port, Packet* probe);
  void pass_probe(Context& context, SwitchPort& side, Packet* probe);
  bool holds_packets_of(const SwitchPort& side, unsigned priority, unsigned ingress_port) const;

  void want_sample(Context& context);
  void sample(Context& context);
  /// True when something happens at the port.
  bool sample_port(SwitchPort& side, std::uint64_t start_ps, TimePoint now);

  std::vector<SwitchPort> ports_;
  const SwitchProfile& profile_;
  Routing& routing_;
  PacketPools& pools_;
  std::uint32_t index_;
  std::uint32_t host_count_;
  qos::SharedBuffer buffer_;
  bool sample_pending_;  ///< a kSample is scheduled, or none is ever wanted
  std::vector<qos::RedMarker> markers_;
  std::array<Class, kPriorities> classes_;
  struct Resume {
    std::uint16_t port;
    std::uint8_t priority;
  };
  std::vector<Resume> resumes_;  ///< to be sent when the event has been handled
  base::Rng rng_;
  std::uint64_t seed_;

  std::vector<RareCounters> rare_;   ///< empty, or one a port and class
  std::vector<PauseWatch> watches_;  ///< likewise
  std::vector<Finding> findings_;
  std::vector<qos::BufferGroupLimits> limits_;  ///< a port
  std::vector<PortSampleBase> sample_bases_;    ///< empty, or one a port: counters at the last sample
  SwitchSamples samples_;
  std::vector<std::uint64_t> probes_seen_;  ///< the latest probes passed on, see deadlock.cc
  std::uint64_t probes_started_ = 0;
};

}  // namespace rocelab::sim
