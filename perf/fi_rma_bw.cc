// perf/fi_rma_bw: libfabric's RMA writes between two polling processes, as a peer for perf/compare (Debian has no
// fabtests). Latency one way of 8 B, messages a second of 64 B, bandwidth over sizes; the target polls its memory and
// its completion queue, as libfabric's manual progress demands. The provider is an argument: shm, or tcp;ofi_rxm.
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "perf/measure.h"
#include "perf/options.h"
#include "perf/pair.h"

namespace rocelab::perf {
namespace {

constexpr std::size_t kMessageMax = 1u << 20;
constexpr std::size_t kFlagOffset = kMessageMax;  // a word behind the messages: the sender's news
constexpr std::size_t kBufferBytes = kMessageMax + 4096;
constexpr std::size_t kWindow = 64;  // writes on the way
constexpr std::size_t kNameMax = 256;

/// What one side tells the other.
struct Address {
  std::uint64_t name_bytes = 0;
  std::array<char, kNameMax> name{};
  std::uint64_t key = 0;
  std::uint64_t base = 0;
};

/// One process's end: everything libfabric wants before the first write, and the buffers.
class End {
 public:
  /// Returns what failed, or an empty text.
  std::string open(const std::string& provider, Channel& channel);

  bool write(std::size_t offset, std::size_t length) {
    for (;;) {
      const ssize_t rc = fi_write(endpoint_, out_.data() + offset, length, fi_mr_desc(out_region_), peer_,
                                  peer_address_.base + offset, peer_address_.key, nullptr);
      if (rc == 0) break;
      if (rc != -FI_EAGAIN || !progress()) return false;
    }
    ++posted_;
    return true;
  }
  /// Reaps completions; false: one of them is an error.
  bool progress() {
    std::array<fi_cq_entry, 32> entries;
    const ssize_t n = fi_cq_read(queue_, entries.data(), entries.size());
    if (n > 0) completed_ += static_cast<std::uint64_t>(n);
    return n > 0 || n == -FI_EAGAIN;
  }
  std::uint64_t in_flight() const { return posted_ - completed_; }

  std::byte* out() { return out_.data(); }
  const std::byte* in() const { return in_.data(); }
  void set_flag(std::uint64_t value) { std::memcpy(out_.data() + kFlagOffset, &value, sizeof value); }
  std::uint64_t flag() {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(in_.data() + kFlagOffset))
        .load(std::memory_order_acquire);
  }
  std::uint64_t round = 0;  ///< value of the flag's latest use, the same on both sides

 private:
  std::string open_endpoint(fi_info* info);

  fid_fabric* fabric_ = nullptr;  // all of them live as long as the process
  fid_domain* domain_ = nullptr;
  fid_av* addresses_ = nullptr;
  fid_cq* queue_ = nullptr;
  fid_ep* endpoint_ = nullptr;
  fid_mr* in_region_ = nullptr;
  fid_mr* out_region_ = nullptr;
  fi_addr_t peer_ = FI_ADDR_UNSPEC;
  Address peer_address_;
  std::uint64_t posted_ = 0;
  std::uint64_t completed_ = 0;
  std::vector<std::byte> in_ = std::vector<std::byte>(kBufferBytes);
  std::vector<std::byte> out_ = std::vector<std::byte>(kBufferBytes);
};

std::string failed(const char* what, int rc) { return std::string(what) + ": " + fi_strerror(-rc); }

std::string End::open_endpoint(fi_info* info) {
  if (int rc = fi_fabric(info->fabric_attr, &fabric_, nullptr)) return failed("fi_fabric", rc);
  if (int rc = fi_domain(fabric_, info, &domain_, nullptr)) return failed("fi_domain", rc);
  fi_av_attr av{};
  av.type = FI_AV_TABLE;
  if (int rc = fi_av_open(domain_, &av, &addresses_, nullptr)) return failed("fi_av_open", rc);
  fi_cq_attr cq{};
  cq.format = FI_CQ_FORMAT_CONTEXT;
  cq.size = 1024;
  if (int rc = fi_cq_open(domain_, &cq, &queue_, nullptr)) return failed("fi_cq_open", rc);
  if (int rc = fi_endpoint(domain_, info, &endpoint_, nullptr)) return failed("fi_endpoint", rc);
  if (int rc = fi_ep_bind(endpoint_, &addresses_->fid, 0)) return failed("fi_ep_bind", rc);
  if (int rc = fi_ep_bind(endpoint_, &queue_->fid, FI_TRANSMIT | FI_RECV)) return failed("fi_ep_bind", rc);
  if (int rc = fi_enable(endpoint_)) return failed("fi_enable", rc);
  if (int rc = fi_mr_reg(domain_, in_.data(), in_.size(), FI_REMOTE_WRITE, 0, 1, 0, &in_region_, nullptr)) {
    return failed("fi_mr_reg", rc);
  }
  if (int rc = fi_mr_reg(domain_, out_.data(), out_.size(), FI_WRITE, 0, 2, 0, &out_region_, nullptr)) {
    return failed("fi_mr_reg", rc);
  }
  return "";
}

std::string End::open(const std::string& provider, Channel& channel) {
  fi_info* hints = fi_allocinfo();
  hints->caps = FI_RMA | FI_MSG;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->tx_attr->msg_order = FI_ORDER_WAW;
  hints->fabric_attr->prov_name = strdup(provider.c_str());
  fi_info* info = nullptr;
  const bool local = provider == "shm";
  const int rc =
      fi_getinfo(FI_VERSION(1, 11), local ? nullptr : "127.0.0.1", nullptr, local ? 0 : FI_SOURCE, hints, &info);
  fi_freeinfo(hints);
  if (rc != 0) return failed(("no provider " + provider).c_str(), rc);
  const std::string problem = open_endpoint(info);
  const bool virtual_addresses = (info->domain_attr->mr_mode & FI_MR_VIRT_ADDR) != 0;
  fi_freeinfo(info);
  if (!problem.empty()) return problem;

  Address mine;
  std::size_t name_bytes = kNameMax;
  if (int error = fi_getname(&endpoint_->fid, mine.name.data(), &name_bytes)) return failed("fi_getname", error);
  mine.name_bytes = name_bytes;
  mine.key = fi_mr_key(in_region_);
  mine.base = virtual_addresses ? reinterpret_cast<std::uint64_t>(in_.data()) : 0;
  if (!channel.exchange(mine, peer_address_)) return "the other process has gone";
  if (fi_av_insert(addresses_, peer_address_.name.data(), 1, &peer_, 0, nullptr) != 1) return "fi_av_insert failed";
  return channel.barrier() ? "" : "the other process has gone";
}

bool wait_for_flag(End& end, std::uint64_t value, bool shared) {
  while (end.flag() != value) {
    if (!end.progress()) return false;
    if (shared) relax(true);
  }
  return true;
}

bool send_flag(End& end, std::uint64_t value) {
  end.set_flag(value);
  return end.write(kFlagOffset, sizeof value);
}

/// Microseconds one way of an 8-byte write that the other side sees in its memory.
double latency_us(End& end, Channel& channel, bool first, bool shared, std::uint64_t rounds) {
  if (!channel.barrier()) return -1;
  const std::uint64_t base = end.round;
  bool good = true;
  const double seconds = seconds_of([&] {
    for (std::uint64_t n = base + 1; good && n <= base + rounds; ++n) {
      if (first) good = send_flag(end, n);
      good = good && wait_for_flag(end, n, shared);
      if (good && !first) good = send_flag(end, n);
      while (good && end.in_flight() > kWindow / 2) good = end.progress();
    }
  });
  end.round += rounds;
  while (good && end.in_flight() > 0) good = end.progress();
  return good && channel.barrier() ? seconds * 1e6 / static_cast<double>(rounds) / 2 : -1;
}

/// Seconds that `count` writes of `length` bytes take until the other side has them all; contents are checked there.
double seconds_of_stream(End& end, Channel& channel, bool first, bool shared, std::size_t length, std::uint64_t count) {
  const std::uint64_t value = ++end.round;
  const auto pattern = [&](std::size_t i) { return static_cast<std::byte>(i * 7 + value); };
  for (std::size_t i = 0; first && i < length; ++i) end.out()[i] = pattern(i);
  if (!channel.barrier()) return -1;
  bool good = true;
  const double seconds = seconds_of([&] {
    if (first) {
      for (std::uint64_t n = 0; good && n < count; ++n) {
        good = end.write(0, length);
        while (good && end.in_flight() >= kWindow) good = end.progress();
      }
      good = good && send_flag(end, value);
      while (good && end.in_flight() > 0) good = end.progress();
    }
    // The target's answer ends the measurement: its memory has everything.
    if (!first) good = wait_for_flag(end, value, shared) && send_flag(end, value);
    if (first) good = good && wait_for_flag(end, value, shared);
  });
  while (good && end.in_flight() > 0) good = end.progress();
  for (std::size_t i = 0; good && !first && i < length; ++i) good = end.in()[i] == pattern(i);
  return good && channel.barrier() ? seconds : -1;
}

std::vector<Measurement> measurements(End& end, Channel& channel, bool first, const std::string& label,
                                      const Processors& cpus, double scale) {
  const bool shared = cpus.shared;
  const auto bandwidth = [=, &end, &channel](std::size_t length) {
    const std::uint64_t count = scaled(4e9 / static_cast<double>(length + 4096), scale);
    const double seconds = seconds_of_stream(end, channel, first, shared, length, count);
    return seconds < 0 ? -1 : static_cast<double>(count * length) / seconds / 1e9;
  };
  std::vector<Measurement> all = {
      {label + "_write_8B_latency", "us",
       [=, &end, &channel] { return latency_us(end, channel, first, shared, scaled(50'000, scale)); }},
      {label + "_write_64B_rate", "M/s",
       [=, &end, &channel] {
         const std::uint64_t count = scaled(1'000'000, scale);
         const double seconds = seconds_of_stream(end, channel, first, shared, 64, count);
         return seconds < 0 ? -1 : static_cast<double>(count) / seconds / 1e6;
       }},
  };
  for (const std::size_t length : {4096u, 65'536u, 1'048'576u}) {
    all.push_back(
        {label + "_write_" + std::to_string(length) + "B_bandwidth", "GB/s", [=] { return bandwidth(length); }});
  }
  return all;
}

int run(const std::string& provider, RunOptions options, const Processors& processors) {
  return run_session("fi_rma_bw", processors, [&](Channel& channel, bool first) {
    End end;
    const std::string problem = end.open(provider, channel);
    if (!problem.empty()) {
      if (first) std::printf("SKIP: libfabric, provider %s: %s\n", provider.c_str(), problem.c_str());
      return first ? 77 : 0;
    }
    options.silent = !first;
    if (processors.realtime) raise_priority();
    const std::string label = "libfabric_" + provider.substr(0, provider.find(';'));
    return run_measurements("fi_rma_bw", measurements(end, channel, first, label, processors, options.scale),
                            processors, options);
  });
}

}  // namespace
}  // namespace rocelab::perf

int main(int argc, char** argv) {
  CLI::App app("RMA writes of libfabric between two polling processes: latency, rate, bandwidth.");
  rocelab::perf::RunOptions options;
  rocelab::perf::Processors processors;
  std::string provider = "shm";
  rocelab::perf::add_run_options(app, options);
  app.add_option("--provider", provider, "shm, or tcp;ofi_rxm");
  CLI11_PARSE(app, argc, argv);
  if (!rocelab::perf::begin_run("fi_rma_bw", options, processors)) return 2;
  return rocelab::perf::run(provider, options, processors);
}
