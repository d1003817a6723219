// Several threads, each with a queue pair of its own, work on one piece of remote memory: they add to a counter by
// atomic FETCH_AND_ADD and leave a line on a board by inline RDMA WRITE. Both ends of each connection are in this
// process, so that nothing has to be exchanged; the packets are the same. Shows the verbs with owners (RAII) around
// them.
//
//   remote_counter [THREADS [ADDITIONS]]
#include <infiniband/verbs.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::uint8_t kPort = 1;
constexpr std::size_t kLine = 64;
constexpr int kLocalWrite = IBV_ACCESS_LOCAL_WRITE;  // an int: the macro ibv_reg_mr mixes it with another enum

/// Calls the matching destroy function at the end of an object's life.
template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* object) const {
    destroy(object);
  }
};
using Context = std::unique_ptr<ibv_context, Destroy<ibv_close_device>>;
using ProtectionDomain = std::unique_ptr<ibv_pd, Destroy<ibv_dealloc_pd>>;
using Region = std::unique_ptr<ibv_mr, Destroy<ibv_dereg_mr>>;
using CompletionQueue = std::unique_ptr<ibv_cq, Destroy<ibv_destroy_cq>>;
using QueuePair = std::unique_ptr<ibv_qp, Destroy<ibv_destroy_qp>>;

template <class T>
T* made(T* object, const char* what) {
  if (object == nullptr) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  return object;
}
void done(int status, const char* what) {
  if (status != 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(status));
}

Context open_first_device() {
  const std::unique_ptr<ibv_device*, Destroy<ibv_free_device_list>> list(
      made(ibv_get_device_list(nullptr), "get_device_list"));
  return Context(made(ibv_open_device(made(list.get()[0], "finding an RDMA device")), "open_device"));
}

/// The device's first RoCE v2 address.
ibv_gid_entry find_address(ibv_context* device) {
  ibv_gid_entry entry{};
  for (std::uint32_t i = 0; ibv_query_gid_ex(device, kPort, i, &entry, 0) == 0; ++i) {
    if (entry.gid_type == IBV_GID_TYPE_ROCE_V2) return entry;
  }
  throw std::runtime_error("the port has no RoCE v2 address");
}

/// Takes `qp` to ready-to-send, its peer being `peer` of the same port.
void connect(ibv_qp* qp, ibv_qp* peer, const ibv_gid_entry& address) {
  ibv_qp_attr attr{};
  attr.qp_state = IBV_QPS_INIT;
  attr.port_num = kPort;
  attr.qp_access_flags = IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC;
  done(ibv_modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS), "INIT");

  attr.qp_state = IBV_QPS_RTR;
  attr.path_mtu = IBV_MTU_4096;
  attr.dest_qp_num = peer->qp_num;
  attr.max_dest_rd_atomic = 16;
  attr.min_rnr_timer = 12;
  attr.ah_attr.is_global = 1;
  attr.ah_attr.port_num = kPort;
  attr.ah_attr.grh.dgid = address.gid;
  attr.ah_attr.grh.sgid_index = static_cast<std::uint8_t>(address.gid_index);
  attr.ah_attr.grh.hop_limit = 1;
  done(ibv_modify_qp(qp, &attr,
                     IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
                         IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER),
       "ready to receive");

  attr.qp_state = IBV_QPS_RTS;
  attr.timeout = 14;
  attr.retry_cnt = 7;
  attr.rnr_retry = 7;
  attr.max_rd_atomic = 16;
  done(ibv_modify_qp(qp, &attr,
                     IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
                         IBV_QP_MAX_QP_RD_ATOMIC),
       "ready to send");
}

/// The memory that others work on.
struct Board {
  alignas(64) std::uint64_t counter = 0;
  std::array<std::array<char, kLine>, 64> lines{};
};

/// One connection from a worker to the board, with both its ends.
class Worker {
 public:
  Worker(ibv_context* device, ibv_pd* pd, const ibv_gid_entry& address, std::size_t number, ibv_mr* board)
      : number_(number),
        board_(board),
        cq_(made(ibv_create_cq(device, 16, nullptr, nullptr, 0), "create_cq")),
        result_region_(made(ibv_reg_mr(pd, &result_, sizeof result_, kLocalWrite), "reg_mr")),
        near_(make_queue_pair(pd)),
        far_(make_queue_pair(pd)) {
    connect(near_.get(), far_.get(), address);
    connect(far_.get(), near_.get(), address);
  }

  /// Adds one, `additions` times; returns the values that the counter had before.
  std::vector<std::uint64_t> count(std::size_t additions) {
    std::vector<std::uint64_t> seen;
    for (std::size_t i = 0; i < additions; ++i) {
      ibv_sge piece{reinterpret_cast<std::uintptr_t>(&result_), sizeof result_, result_region_->lkey};
      ibv_send_wr request{};
      request.sg_list = &piece;
      request.num_sge = 1;
      request.opcode = IBV_WR_ATOMIC_FETCH_AND_ADD;
      request.wr.atomic.remote_addr = board_address() + offsetof(Board, counter);
      request.wr.atomic.rkey = board_->rkey;
      request.wr.atomic.compare_add = 1;
      perform(request);
      seen.push_back(result_);
    }
    return seen;
  }

  /// Leaves a line on the board. Inline: the text is copied into the request, it needs no registered memory.
  void sign(const std::string& text) {
    ibv_sge piece{reinterpret_cast<std::uintptr_t>(text.c_str()), static_cast<std::uint32_t>(text.size() + 1), 0};
    ibv_send_wr request{};
    request.sg_list = &piece;
    request.num_sge = 1;
    request.opcode = IBV_WR_RDMA_WRITE;
    request.send_flags = IBV_SEND_INLINE;
    request.wr.rdma.remote_addr = board_address() + offsetof(Board, lines) + number_ * kLine;
    request.wr.rdma.rkey = board_->rkey;
    perform(request);
  }

 private:
  QueuePair make_queue_pair(ibv_pd* pd) {
    ibv_qp_init_attr wanted{};
    wanted.send_cq = wanted.recv_cq = cq_.get();
    wanted.cap = {.max_send_wr = 4, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1, .max_inline_data = kLine};
    wanted.qp_type = IBV_QPT_RC;
    return QueuePair(made(ibv_create_qp(pd, &wanted), "create_qp"));
  }
  std::uint64_t board_address() const { return reinterpret_cast<std::uintptr_t>(board_->addr); }

  void perform(ibv_send_wr& request) {
    request.send_flags |= IBV_SEND_SIGNALED;
    ibv_send_wr* bad = nullptr;
    done(ibv_post_send(near_.get(), &request, &bad), "post_send");
    ibv_wc completion{};
    int count = 0;
    while (count == 0) count = ibv_poll_cq(cq_.get(), 1, &completion);
    if (count < 0 || completion.status != IBV_WC_SUCCESS)
      throw std::runtime_error(ibv_wc_status_str(completion.status));
  }

  std::size_t number_;
  ibv_mr* board_;
  std::uint64_t result_ = 0;
  // Destroyed from the last to the first: queue pairs go before the queue and the memory that they use.
  CompletionQueue cq_;
  Region result_region_;
  QueuePair near_;
  QueuePair far_;
};

std::size_t number(const char* text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  if (error != std::errc() || *end != '\0' || value == 0)
    throw std::runtime_error(std::string(text) + ": not a number");
  return value;
}

void run(std::size_t threads, std::size_t additions) {
  const Context device = open_first_device();
  const ProtectionDomain pd(made(ibv_alloc_pd(device.get()), "alloc_pd"));
  const auto board = std::make_unique<Board>();
  if (threads > board->lines.size()) throw std::runtime_error("at most 64 threads have a line on the board");
  const Region region(made(ibv_reg_mr(pd.get(), board.get(), sizeof *board,
                                      IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC),
                           "reg_mr"));
  const ibv_gid_entry address = find_address(device.get());

  std::vector<std::unique_ptr<Worker>> workers;
  for (std::size_t i = 0; i < threads; ++i) {
    workers.push_back(std::make_unique<Worker>(device.get(), pd.get(), address, i, region.get()));
  }
  std::vector<std::vector<std::uint64_t>> seen(threads);
  std::vector<std::string> failures(threads);
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      try {
        seen[i] = workers[i]->count(additions);
        workers[i]->sign("worker " + std::to_string(i) + " was here");
      } catch (const std::exception& error) {
        failures[i] = error.what();
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  for (const std::string& failure : failures) {
    if (!failure.empty()) throw std::runtime_error(failure);
  }

  // Each addition must have seen a value of its own.
  std::set<std::uint64_t> values;
  for (const auto& list : seen) values.insert(list.begin(), list.end());
  if (board->counter != threads * additions || values.size() != threads * additions) {
    throw std::runtime_error("the counter is wrong: " + std::to_string(board->counter));
  }
  std::printf("%zu threads counted to %llu\n", threads, static_cast<unsigned long long>(board->counter));
  for (std::size_t i = 0; i < threads; ++i) std::printf("%s\n", board->lines[i].data());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc > 1 ? number(argv[1]) : 4, argc > 2 ? number(argv[2]) : 1000);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "remote_counter: %s\n", error.what());
    return 1;
  }
}
