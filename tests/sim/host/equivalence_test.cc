// The same scripted exchange, with a packet lost, in the wire-exact simulation and between two engines over the real
// loopback port: the frames of each direction are the same, byte for byte. Nothing needs an exception: time appears in
// no frame, and the script leaves the order of a direction's frames to nobody's speed (a loss is noticed when all that
// was to be sent has been sent).
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "net/capture_reader.h"
#include "net/frame_codec.h"
#include "net/loopback_port.h"
#include "sim/host/payload_pattern.h"
#include "tests/sim/host/two_hosts.h"
#include "tests/support/catch.h"

namespace rocelab::test {

namespace {

using Bytes = std::vector<std::byte>;
using Kind = Recorder::Kind;

/// One request, and which frame of the exchange that it starts is lost (counted over both directions of the run, from
/// 0, in the direction of `lost_from`).
struct Step {
  Kind kind;
  std::uint32_t bytes;
  int lost_from = -1;          ///< host whose frame is lost; -1: none
  std::uint32_t lost_nth = 0;  ///< of that host's frames since the step began
};

constexpr std::uint32_t kArenaBytes = 20'000;

const std::vector<Step>& script() {
  static const std::vector<Step> steps{
      {Kind::kWrite, 100},        {Kind::kWrite, 5'000, 0, 2},  {Kind::kSend, 3'000, 0, 0},
      {Kind::kRead, 6'000, 1, 2}, {Kind::kNotify, 4'097, 0, 4}, {Kind::kNotify, 2'000, 1, 0},
      {Kind::kRead, 10, 0, 0},    {Kind::kSend, 7'777},
  };
  return steps;
}

sim::ConnectionOptions connection_options() {
  sim::ConnectionOptions options;
  options.receive_depth = 4;
  options.message_bytes_max = kArenaBytes;
  options.timeout = 6;
  return options;
}

/// What each host has sent.
using Sent = std::array<std::vector<Bytes>, 2>;

std::vector<Bytes> outbound_frames(const std::filesystem::path& file) {
  std::vector<Bytes> frames;
  auto reader = net::CaptureReader::open(file);
  if (!reader) return frames;
  net::CapturedFrame frame;
  while (reader->next(frame).value_or(false)) {
    if (frame.direction == net::CaptureDirection::kOutbound)
      frames.emplace_back(frame.bytes.begin(), frame.bytes.end());
  }
  return frames;
}

/// The script in the simulator. The steps are far apart; losses are counted in frames since the run began, so they are
/// found by running once more for each step.
class SimulatedExchange {
 public:
  SimulatedExchange() {
    folder_ = std::filesystem::temp_directory_path() / ("rocelab-equivalence-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~SimulatedExchange() { std::filesystem::remove_all(folder_); }

  Sent run(std::size_t steps, const std::array<std::vector<std::uint64_t>, 2>& lost) {
    const std::string pattern = folder_ / "%h.pcapng";
    {
      sim::HostOptions options{};
      options.seed = 11;
      options.profile = *sim::find_host_profile("ideal");
      options.payload = sim::PayloadMode::kWireExact;
      options.capture_path = pattern;
      TwoHosts net(options);
      for (std::uint32_t i = 0; i < 2; ++i) {
        sim::LinkEffectsOptions effects;
        for (const std::uint64_t n : lost[i]) effects.scripted.push_back({.first = n + 1});
        net.hosts[i]->port().set_effects(std::make_unique<sim::LinkEffects>(effects, base::Rng(1, "link")), net.pools);
      }
      Recorder recorder;
      const auto connection = connection_options();
      const auto [ab, ba] = sim::connect(net.a(), net.b(), connection, &recorder, &recorder);
      net.a().set_user(&recorder);
      for (std::size_t i = 0; i < steps; ++i) {
        recorder.plan(net.simulation, 0, TimePoint::from_ns(10'000'000 * i), {ab, script()[i].bytes, script()[i].kind});
      }
      net.run();
      CHECK(sim::check_hosts(net.hosts) == std::vector<std::string>());
      for (std::uint32_t i = 0; i < 2; ++i) {
        device_options.at(i) = std::make_unique<rxe::DeviceOptions>(net.hosts[i]->engine()->options());
        qp_attr.at(i) = net.hosts[i]->engine()->query_qp(sim::kFlowQpnFirst).value();
      }
    }
    return {outbound_frames(folder_ / "host0.pcapng"), outbound_frames(folder_ / "host1.pcapng")};
  }

  std::array<std::unique_ptr<rxe::DeviceOptions>, 2> device_options;
  std::array<rxe::QpAttr, 2> qp_attr;

 private:
  std::filesystem::path folder_;
};

/// One of two engines whose frames go through a loopback port each, in bursts.
class LoopbackEnd final : public rxe::TxSink {
 public:
  LoopbackEnd(std::uint32_t host, const rxe::DeviceOptions& options, const rxe::QpAttr& attr)
      : memory(2 * kArenaBytes), device(options) {
    const wire::Gid gid = sim::host_gid(host);
    bool good = device.set_gid(0, {.gid = gid, .type = rxe::GidType::kRoceV2, .valid = true}).has_value() &&
                device.set_gid(1, {.gid = gid, .type = rxe::GidType::kRoceV1, .valid = true}).has_value();
    pd_ = device.alloc_pd().value();
    cq = device.create_cq(64, nullptr).value();
    mr = device.reg_mr({.pd = pd_, .host = memory.data(), .length = memory.size(), .iova = 0, .access = 0xf}).value();
    sim::PayloadPattern(host, sim::kFlowQpnFirst).fill({memory.data(), kArenaBytes});
    rxe::QpInit init;
    init.pd = pd_;
    init.send_cq = init.recv_cq = cq;
    init.cap = attr.cap;
    init.sq_sig_all = true;
    init.number = sim::kFlowQpnFirst;
    good = good && device.create_qp(init).has_value();
    rxe::QpAttr to = attr;
    namespace mask = rxe::qp_attr;
    to.state = rxe::QpState::kInit;
    good = good && modify(to, mask::kState | mask::kPkeyIndex | mask::kPort | mask::kAccessFlags);
    to.state = rxe::QpState::kRtr;
    good = good && modify(to, mask::kState | mask::kAv | mask::kPathMtu | mask::kDestQpn | mask::kRqPsn |
                                  mask::kMaxDestRdAtomic | mask::kMinRnrTimer);
    to.state = rxe::QpState::kRts;
    good = good && modify(to, mask::kState | mask::kSqPsn | mask::kTimeout | mask::kRetryCnt | mask::kRnrRetry |
                                  mask::kMaxQpRdAtomic);
    CHECK(good);
    for (unsigned i = 0; i < connection_options().receive_depth; ++i) post_receive();
  }

  void post(const Step& step) {
    const bool read = step.kind == Kind::kRead;
    const rxe::Sge sge{read ? kArenaBytes : 0u, step.bytes, mr.lkey};
    rxe::SendRequest request;
    request.opcode = step.kind == Kind::kWrite    ? rxe::SendOpcode::kRdmaWrite
                     : step.kind == Kind::kNotify ? rxe::SendOpcode::kRdmaWriteWithImm
                     : step.kind == Kind::kSend   ? rxe::SendOpcode::kSendWithImm
                                                  : rxe::SendOpcode::kRdmaRead;
    request.flags = rxe::send_flag::kSignaled;
    request.sges = {&sge, 1};
    request.immediate = number_++;
    request.remote_addr = read ? 0 : kArenaBytes;
    request.rkey = mr.rkey;
    CHECK(device.post_send(now, sim::kFlowQpnFirst, request).has_value());
  }

  /// Sends all it can, to `port`; drops what `lost` says.
  std::size_t speak(net::LoopbackPort& port, const std::vector<std::uint64_t>& lost) {
    port_ = &port;
    lost_ = &lost;
    const std::size_t taken = device.poll_transmit(now, *this, 1'000);
    port.tx_flush();
    return taken;
  }
  bool transmit(const wire::Packet& packet) override {
    Bytes frame(net::encoded_size(packet));
    frame.resize(net::encode_frame(packet, frame));
    const bool drop = std::find(lost_->begin(), lost_->end(), sent.size()) != lost_->end();
    sent.push_back(frame);
    if (drop) return true;
    std::byte* room = port_->tx_reserve(frame.size());
    if (room == nullptr) return false;
    std::copy(frame.begin(), frame.end(), room);
    port_->tx_commit(frame.size());
    return true;
  }
  /// Hears one frame; speaks after each, as a NIC does.
  bool hear(net::LoopbackPort& port) {
    std::array<net::Frame, 1> frame;
    if (port.rx_burst(frame) == 0) return false;
    wire::Packet packet;
    CHECK(net::decode_frame(frame[0], packet).has_value());
    device.handle_packet(now, packet);
    port.rx_release();
    rxe::Completion done;
    while (device.poll_cq(cq, {&done, 1}) != 0) {
      CHECK(done.status == rxe::WcStatus::kSuccess);
      if (done.opcode == rxe::WcOpcode::kRecv || done.opcode == rxe::WcOpcode::kRecvRdmaWithImm) {
        post_receive();
      } else {
        ++completed;
      }
    }
    return true;
  }

  std::vector<std::byte> memory;  ///< what it sends, then what arrives: as the simulated host lays it out
  rxe::Device device;
  rxe::CqId cq{};
  rxe::MrInfo mr;
  base::TimePoint now;
  std::vector<Bytes> sent;
  std::size_t completed = 0;

 private:
  bool modify(const rxe::QpAttr& attr, std::uint32_t mask) {
    return device.modify_qp(now, sim::kFlowQpnFirst, attr, mask).has_value();
  }
  void post_receive() {
    const rxe::Sge sge{kArenaBytes, kArenaBytes, mr.lkey};
    CHECK(device.post_recv(now, sim::kFlowQpnFirst, {.wr_id = 0, .sges = {&sge, 1}}).has_value());
  }

  std::uint32_t number_ = 0;
  rxe::PdId pd_{};
  net::LoopbackPort* port_ = nullptr;
  const std::vector<std::uint64_t>* lost_ = nullptr;
};

/// The script over two loopback ports. `lost` gets the frames that the steps say, by number since the beginning.
Sent over_loopback(const SimulatedExchange& simulated, std::array<std::vector<std::uint64_t>, 2>& lost) {
  LoopbackEnd a(0, *simulated.device_options[0], simulated.qp_attr[0]);
  LoopbackEnd b(1, *simulated.device_options[1], simulated.qp_attr[1]);
  net::LoopbackPort to_b(64), to_a(64);
  std::size_t wanted = 0;
  for (const Step& step : script()) {
    if (step.lost_from == 0) lost[0].push_back(a.sent.size() + step.lost_nth);
    if (step.lost_from == 1) lost[1].push_back(b.sent.size() + step.lost_nth);
    a.post(step);
    ++wanted;
    for (int turn = 0; a.completed < wanted && turn < 1'000; ++turn) {
      bool moved = a.speak(to_b, lost[0]) != 0;
      while (b.hear(to_b)) moved = b.speak(to_a, lost[1]) != 0 || true;
      while (a.hear(to_a)) moved = a.speak(to_b, lost[0]) != 0 || true;
      if (moved) continue;
      const auto due_a = a.device.next_timeout(), due_b = b.device.next_timeout();
      if (!due_a && !due_b) break;
      const base::TimePoint due = due_a && (!due_b || *due_a < *due_b) ? *due_a : *due_b;
      a.now = b.now = std::max(a.now, due);
      a.device.handle_timeout(a.now);
      b.device.handle_timeout(b.now);
    }
    CHECK(a.completed == wanted);
    // The next step comes long after everything has come to rest.
    a.now = b.now = a.now + Duration::ms(10);
    a.device.handle_timeout(a.now);
    b.device.handle_timeout(b.now);
  }
  CHECK(sim::PayloadPattern(0, sim::kFlowQpnFirst).matches({b.memory.data() + kArenaBytes, 7'777}));
  return {a.sent, b.sent};
}

std::string line_of(const Bytes& frame) {
  wire::Packet packet;
  return net::decode_frame(frame, packet) ? wire::to_string(packet) : "not a frame";
}

}  // namespace

TEST_CASE("equivalence: simulated and over the loopback port an exchange with losses is the same, byte for byte",
          "[sim][host][engine]") {
  SimulatedExchange simulated;
  simulated.run(1, {});  // for the options and attributes of the engines
  std::array<std::vector<std::uint64_t>, 2> lost;
  const Sent real = over_loopback(simulated, lost);
  CHECK(lost[0].size() + lost[1].size() == 6);
  const Sent virtual_time = simulated.run(script().size(), lost);
  for (unsigned host = 0; host < 2; ++host) {
    REQUIRE(virtual_time[host].size() == real[host].size());
    for (std::size_t i = 0; i < real[host].size(); ++i) {
      INFO("host " << host << ", frame " << i << "\n"
                   << line_of(virtual_time[host][i]) << "\n"
                   << line_of(real[host][i]));
      REQUIRE(virtual_time[host][i] == real[host][i]);
    }
  }
}

}  // namespace rocelab::test
