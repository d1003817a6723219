// What public CI users of the kernel's soft RoCE had to skip, from several threads at once and between two processes:
// atomics, UC, UD and inline sends. An ordinary verbs program, linked with the distribution's library; programs.py runs
// both sides under `rocelab run`. Each thread has a queue pair, a completion queue and memory of its own.
//
//   threads_pair [-n MESSAGES] [-t THREADS_OF_EACH_KIND] [-p PORT] [HOST]
#include <infiniband/verbs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/interop/meeting.h"

namespace rocelab::interop {

namespace {

constexpr std::uint8_t kPort = 1;
constexpr std::uint32_t kSlotBytes = 1024;  ///< of one message; with room for a datagram's GRH in front
constexpr std::uint32_t kGrhBytes = 40;
constexpr std::uint32_t kInlineMax = 128;
constexpr std::uint32_t kSendsInFlight = 16;
constexpr std::uint32_t kQkey = 0x1111'1111;

enum class Kind { kAtomic, kUnreliable, kDatagram, kInline };
constexpr std::array kKinds = {Kind::kAtomic, Kind::kUnreliable, Kind::kDatagram, Kind::kInline};

struct Options {
  std::uint32_t messages = 200;
  std::size_t threads = 2;
  std::string port = "18700";
  std::string host;  ///< empty: the passive side
};

/// What one thread tells its partner at the other side. Both are this program on this machine: sent as it lies.
struct Address {
  std::uint32_t qp_number;
  std::uint32_t rkey;
  std::uint64_t memory;
  union ibv_gid gid;
};

template <class T>
T* made(T* object, const char* what) {
  if (object == nullptr) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  return object;
}
void done(int status, const char* what) {
  if (status != 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(status));
}

/// Length and contents of message `i` of worker `number`: the receiver computes the same.
std::uint32_t length_of(Kind kind, std::uint32_t i) {
  return kind == Kind::kInline ? i % (kInlineMax + 1) : 1 + i * 37 % (kSlotBytes - kGrhBytes - 1);
}
std::uint8_t byte_of(std::size_t number, std::uint32_t i, std::uint32_t offset) {
  return static_cast<std::uint8_t>(number * 131 + i * 7 + offset);
}

/// One thread's queue pair and memory.
class Worker {
 public:
  Worker(ibv_context* device, ibv_pd* pd, ibv_mr* counter, const ibv_gid_entry& source, std::size_t number, Kind kind,
         const Options& options)
      : number_(number), kind_(kind), messages_(options.messages), pd_(pd), source_(source), counter_(counter) {
    memory_.resize(std::size_t{kSlotBytes} * messages_);
    cq_ = made(ibv_create_cq(device, static_cast<int>(messages_ + kSendsInFlight), nullptr, nullptr, 0), "create_cq");
    mr_ = made(ibv_reg_mr(pd, memory_.data(), memory_.size(), IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE),
               "reg_mr");
    ibv_qp_init_attr wanted{};
    wanted.send_cq = wanted.recv_cq = cq_;
    wanted.cap.max_send_wr = kSendsInFlight;
    wanted.cap.max_recv_wr = messages_;
    wanted.cap.max_send_sge = wanted.cap.max_recv_sge = 1;
    wanted.cap.max_inline_data = kInlineMax;
    wanted.qp_type = kind == Kind::kDatagram ? IBV_QPT_UD : kind == Kind::kUnreliable ? IBV_QPT_UC : IBV_QPT_RC;
    qp_ = made(ibv_create_qp(pd, &wanted), "create_qp");
  }
  ~Worker() {
    if (qp_ != nullptr) ibv_destroy_qp(qp_);
    if (ah_ != nullptr) ibv_destroy_ah(ah_);
    if (mr_ != nullptr) ibv_dereg_mr(mr_);
    if (cq_ != nullptr) ibv_destroy_cq(cq_);
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Address address() const {
    return {qp_->qp_num, counter_->rkey, reinterpret_cast<std::uintptr_t>(counter_->addr), source_.gid};
  }

  /// To ready-to-send, with every receive posted.
  void connect(const Address& peer) {
    peer_ = peer;
    ibv_qp_attr attr{};
    attr.qp_state = IBV_QPS_INIT;
    attr.port_num = kPort;
    attr.qkey = kQkey;
    attr.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC;
    const bool reliable = kind_ == Kind::kAtomic || kind_ == Kind::kInline;
    if (!reliable) attr.qp_access_flags = IBV_ACCESS_REMOTE_WRITE;
    const int special = kind_ == Kind::kDatagram ? IBV_QP_QKEY : IBV_QP_ACCESS_FLAGS;
    done(ibv_modify_qp(qp_, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | special), "INIT");
    for (std::uint32_t i = 0; i < messages_; ++i) post_receive(i);

    attr.qp_state = IBV_QPS_RTR;
    attr.path_mtu = IBV_MTU_1024;
    attr.dest_qp_num = peer.qp_number;
    attr.max_dest_rd_atomic = 8;
    attr.min_rnr_timer = 12;
    attr.ah_attr.is_global = 1;
    attr.ah_attr.port_num = kPort;
    attr.ah_attr.grh.dgid = peer.gid;
    attr.ah_attr.grh.sgid_index = static_cast<std::uint8_t>(source_.gid_index);
    attr.ah_attr.grh.hop_limit = 1;
    int mask = IBV_QP_STATE;
    if (kind_ != Kind::kDatagram) mask |= IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN;
    if (reliable) mask |= IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
    done(ibv_modify_qp(qp_, &attr, mask), "ready to receive");
    if (kind_ == Kind::kDatagram) ah_ = made(ibv_create_ah(pd_, &attr.ah_attr), "create_ah");

    attr.qp_state = IBV_QPS_RTS;
    attr.timeout = 14;
    attr.retry_cnt = attr.rnr_retry = 7;
    attr.max_rd_atomic = 8;
    mask = IBV_QP_STATE | IBV_QP_SQ_PSN;
    if (reliable) mask |= IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;
    done(ibv_modify_qp(qp_, &attr, mask), "ready to send");
  }

  /// Sends everything and, unless the kind has no messages, receives and checks everything, both at once.
  void work() {
    std::uint32_t sent = 0, completed = 0, received = 0;
    const std::uint32_t expected = kind_ == Kind::kAtomic ? 0 : messages_;
    while (completed < messages_ || received < expected) {
      if (sent < messages_ && sent - completed < kSendsInFlight) post_send(sent++);
      ibv_wc wc{};
      const int count = ibv_poll_cq(cq_, 1, &wc);
      if (count < 0) throw std::runtime_error("poll_cq");
      if (count == 0) continue;
      if (wc.status != IBV_WC_SUCCESS) throw std::runtime_error(ibv_wc_status_str(wc.status));
      if ((wc.opcode & IBV_WC_RECV) == 0) {
        ++completed;
      } else {
        check(wc, received++);
      }
    }
  }

  Kind kind() const { return kind_; }
  /// The values that the atomics found.
  const std::vector<std::uint64_t> originals() const {
    std::vector<std::uint64_t> values(messages_);
    for (std::uint32_t i = 0; i < messages_; ++i) {
      std::memcpy(&values[i], &memory_[std::size_t{i} * kSlotBytes], sizeof values[i]);
    }
    return values;
  }

 private:
  void post_receive(std::uint32_t i) {
    if (kind_ == Kind::kAtomic) return;
    ibv_sge piece{reinterpret_cast<std::uintptr_t>(&memory_[std::size_t{i} * kSlotBytes]), kSlotBytes, mr_->lkey};
    ibv_recv_wr request{}, *bad = nullptr;
    request.wr_id = i;
    request.sg_list = &piece;
    request.num_sge = 1;
    done(ibv_post_recv(qp_, &request, &bad), "post_recv");
  }

  /// All but atomics go inline, from a buffer that is overwritten as soon as the call returns, or (UC, UD) from
  /// `memory` of the request's own.
  void post_send(std::uint32_t i) {
    std::array<std::uint8_t, kSlotBytes> text{};
    const std::uint32_t length = length_of(kind_, i);
    for (std::uint32_t at = 0; at < length; ++at) text[at] = byte_of(number_, i, at);
    ibv_sge piece{reinterpret_cast<std::uintptr_t>(text.data()), length, 0};
    ibv_send_wr request{}, *bad = nullptr;
    request.wr_id = i;
    request.sg_list = &piece;
    request.num_sge = 1;
    request.opcode = IBV_WR_SEND_WITH_IMM;
    request.imm_data = i;
    request.send_flags = IBV_SEND_SIGNALED | IBV_SEND_INLINE;
    if (kind_ == Kind::kAtomic) {
      piece = {reinterpret_cast<std::uintptr_t>(&memory_[std::size_t{i} * kSlotBytes]), sizeof(std::uint64_t),
               mr_->lkey};
      request.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
      request.send_flags = IBV_SEND_SIGNALED;
      request.wr.atomic.remote_addr = peer_.memory;
      request.wr.atomic.rkey = peer_.rkey;
      request.wr.atomic.compare_add = 1;
    } else if (length > kInlineMax) {
      request.send_flags = IBV_SEND_SIGNALED;
      if (outgoing_.empty()) {
        outgoing_.resize(std::size_t{kSlotBytes} * messages_);
        outgoing_mr_.reset(made(ibv_reg_mr(pd_, outgoing_.data(), outgoing_.size(), 0), "reg_mr"));
      }
      std::uint8_t* place = &outgoing_[std::size_t{i} * kSlotBytes];
      std::memcpy(place, text.data(), length);
      piece = {reinterpret_cast<std::uintptr_t>(place), length, outgoing_mr_->lkey};
    }
    if (kind_ == Kind::kDatagram) {
      request.wr.ud.ah = ah_;
      request.wr.ud.remote_qpn = peer_.qp_number;
      request.wr.ud.remote_qkey = kQkey;
    }
    done(ibv_post_send(qp_, &request, &bad), "post_send");
    text.fill(0xee);
  }

  /// In order, whole, and every byte as sent.
  void check(const ibv_wc& wc, std::uint32_t i) const {
    const std::uint32_t skip = kind_ == Kind::kDatagram ? kGrhBytes : 0;
    const std::uint32_t length = length_of(kind_, i);
    if (wc.wr_id != i || wc.imm_data != i || wc.byte_len != length + skip) {
      throw std::runtime_error("message " + std::to_string(i) + " came as number " + std::to_string(wc.imm_data) +
                               ", " + std::to_string(wc.byte_len) + " bytes");
    }
    for (std::uint32_t at = 0; at < length; ++at) {
      if (memory_[std::size_t{i} * kSlotBytes + skip + at] != byte_of(number_, i, at)) {
        throw std::runtime_error("message " + std::to_string(i) + " differs at byte " + std::to_string(at));
      }
    }
  }

  struct Deregister {
    void operator()(ibv_mr* mr) const { ibv_dereg_mr(mr); }
  };
  const std::size_t number_;
  const Kind kind_;
  const std::uint32_t messages_;
  ibv_pd* const pd_;
  const ibv_gid_entry source_;
  ibv_mr* const counter_;
  Address peer_{};
  std::vector<std::uint8_t> memory_;
  std::vector<std::uint8_t> outgoing_;
  std::unique_ptr<ibv_mr, Deregister> outgoing_mr_;
  ibv_cq* cq_ = nullptr;
  ibv_mr* mr_ = nullptr;
  ibv_qp* qp_ = nullptr;
  ibv_ah* ah_ = nullptr;
};

ibv_gid_entry find_source(ibv_context* device) {
  ibv_gid_entry entry{};
  for (std::uint32_t i = 0; ibv_query_gid_ex(device, kPort, i, &entry, 0) == 0; ++i) {
    if (entry.gid_type == IBV_GID_TYPE_ROCE_V2) return entry;
  }
  throw std::runtime_error("no RoCE v2 address");
}

void run(const Options& options) {
  Meeting meeting(options.host, options.port);
  ibv_device** list = made(ibv_get_device_list(nullptr), "get_device_list");
  ibv_context* device = made(ibv_open_device(made(list[0], "a device")), "open_device");
  ibv_free_device_list(list);
  ibv_pd* pd = made(ibv_alloc_pd(device), "alloc_pd");
  const ibv_gid_entry source = find_source(device);
  alignas(8) std::uint64_t counter = 0;
  ibv_mr* counter_mr =
      made(ibv_reg_mr(pd, &counter, sizeof counter, IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_ATOMIC), "reg_mr");
  {
    std::vector<std::unique_ptr<Worker>> workers;
    for (const Kind kind : kKinds) {
      for (std::size_t i = 0; i < options.threads; ++i) {
        workers.push_back(std::make_unique<Worker>(device, pd, counter_mr, source, workers.size(), kind, options));
      }
    }
    for (const auto& worker : workers) {
      const Address own = worker->address();
      Address peer{};
      meeting.exchange(&own, &peer, sizeof own);
      worker->connect(peer);
    }
    meeting.wait();  // every receive is posted at both sides
    std::vector<std::string> failures(workers.size());
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < workers.size(); ++i) {
      threads.emplace_back([&, i] {
        try {
          workers[i]->work();
        } catch (const std::exception& error) {
          failures[i] = error.what();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < failures.size(); ++i) {
      if (!failures[i].empty()) throw std::runtime_error("thread " + std::to_string(i) + ": " + failures[i]);
    }
    meeting.wait();  // the other side's atomics on our counter are done, too
    std::set<std::uint64_t> originals;
    for (const auto& worker : workers) {
      if (worker->kind() != Kind::kAtomic) continue;
      const auto values = worker->originals();
      originals.insert(values.begin(), values.end());
    }
    const std::size_t additions = options.threads * options.messages;
    if (counter != additions || originals.size() != additions || *originals.rbegin() != additions - 1) {
      throw std::runtime_error("the counter is " + std::to_string(counter) + ", and " +
                               std::to_string(originals.size()) + " values were seen");
    }
  }
  std::printf("%zu threads: atomics, UC, UD and inline sends, %u each, every byte as sent\n",
              options.threads * kKinds.size(), options.messages);
  ibv_dereg_mr(counter_mr);
  ibv_dealloc_pd(pd);
  ibv_close_device(device);
}

}  // namespace

}  // namespace rocelab::interop

int main(int argc, char** argv) {
  try {
    rocelab::interop::Options options;
    for (int option = 0; (option = getopt(argc, argv, "n:t:p:")) != -1;) {
      if (option == 'n') options.messages = static_cast<std::uint32_t>(std::stoul(optarg));
      if (option == 't') options.threads = std::stoul(optarg);
      if (option == 'p') options.port = optarg;
      if (option == '?') return 2;
    }
    if (optind < argc) options.host = argv[optind];
    rocelab::interop::run(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "threads_pair: FAILED: %s\n", error.what());
    return 1;
  }
}
