// Sequences of verbs calls and packets decoded from bytes: two engines, whatever calls with whatever arguments, packets
// delivered, lost, repeated, changed and invented. Run by the fuzzer (tests/fuzz/fuzz_engine.cc) and, over random
// bytes, by the behaviour tests. Watched: no call fails with an unknown errno, each posted request completes at most
// once and never after its QP is gone, memory without rights stays as it is, everything can be destroyed in the end.
// Reads and writes out of bounds are left to the address sanitizer: each region lies in an allocation of its own size.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "tests/rxe/harness/owned_packet.h"
#include "tests/rxe/harness/side.h"
#include "tests/rxe/script/bytes.h"

namespace rocelab::test::script {

class Script {
 public:
  explicit Script(std::span<const std::uint8_t> bytes);
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  /// Runs to the end of the bytes and tears everything down. Empty: every promise was kept.
  std::string run();
  std::uint64_t calls() const { return calls_; }
  std::uint64_t completions() const { return completions_; }

 private:
  static constexpr std::size_t kMemoryBytes = 4096;
  static constexpr std::size_t kObjectsMax = 12;
  static constexpr std::size_t kFlyingMax = 64;

  struct Memory {
    rxe::MrInfo info;
    std::uint64_t iova = 0;
    std::uint64_t length = 0;
  };
  struct Qp {
    rxe::Qpn qpn = 0;
    rxe::QpType type = rxe::QpType::kRc;
    bool has_srq = false;
  };
  /// One engine with all objects that the script has made in it.
  struct Half {
    explicit Half(unsigned number) : side(number, device_options(number)) {}
    Side side;
    std::vector<std::unique_ptr<std::byte[]>> storage;  ///< of the regions, living as long as the engine
    std::unique_ptr<std::byte[]> secret;                ///< registered without remote rights and without local write
    rxe::MrInfo secret_mr;
    std::vector<rxe::PdId> pds;
    std::vector<Memory> memories;
    std::vector<rxe::MrInfo> fast;
    std::vector<rxe::MwInfo> windows;
    std::vector<rxe::CqId> cqs;
    std::vector<rxe::SrqId> srqs;
    std::vector<rxe::XrcdId> xrcds;
    std::vector<rxe::AhId> ahs;
    std::vector<Qp> qps;
    std::map<std::uint64_t, rxe::Qpn> outstanding;  ///< wr_id to QP
    std::set<std::uint64_t> shared_receives;        ///< wr_ids in SRQs
  };

  void prepare(Half& half);
  void connect(std::size_t index);
  void step();
  // Verbs calls, by object (script_verbs.cc).
  void call_memory(Half& half);
  void call_queues(Half& half);
  void call_qp(Half& half);
  void call_addresses(Half& half);
  void post_send(Half& half);
  void post_recv(Half& half);
  void modify(Half& half);
  void create_qp(Half& half);
  rxe::Sge sge(Half& half);
  std::uint32_t some_key(Half& half);
  std::uint32_t some_srq_number(Half& half);
  // Packets and time.
  void speak(Half& half);
  void deliver();
  void invent(Half& half);
  void tamper(wire::Packet& packet);
  void hand_over(const wire::Packet& packet, bool to_b);
  void pass_time(bool to_deadline);
  void poll(Half& half);
  void tear_down(Half& half);

  Half& pick() { return bytes_.u8() % 2 == 0 ? a_ : b_; }
  template <class T>
  T one_of(const std::vector<T>& objects) {  ///< now and then one that does not exist
    if (objects.empty() || bytes_.one_in(32)) return static_cast<T>(bytes_.u16());
    return objects[bytes_.below(objects.size())];
  }
  /// Notes a call's outcome: true on success; an errno that libibverbs does not document is a broken promise.
  template <class T>
  bool note(const base::Result<T>& result) {
    ++calls_;
    if (!result) check_code(result.error().code);
    return result.has_value();
  }
  void check_code(int code);
  void complain(const std::string& what) {
    if (complaint_.empty()) complaint_ = what;
  }
  void forget_qp(Half& half, rxe::Qpn qpn);

  Bytes bytes_;
  Half a_{1};
  Half b_{2};
  base::TimePoint now_ = base::TimePoint::from_ns(1'000'000);
  struct Flying {
    bool to_b = false;
    OwnedPacket packet;
  };
  std::deque<Flying> flying_;
  std::uint64_t next_id_ = 1;
  std::uint64_t calls_ = 0;
  std::uint64_t completions_ = 0;
  std::string complaint_;
};

}  // namespace rocelab::test::script
