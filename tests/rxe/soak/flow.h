// The bookkeeping of one QP in the soak: what it has posted, what must come of it, and what its peer must receive. Each
// completion is checked when it is polled; each operation's bytes are entered in the memory models when its outcome is
// known. A violated promise is a sentence in `complaint`.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/rxe/harness/endpoint.h"
#include "tests/rxe/soak/memory_model.h"

namespace rocelab::test::soak {

/// Receives that have been posted and not completed: of one QP, in order, or of an SRQ, in any order.
struct ReceivePool {
  struct Posted {
    std::uint64_t wr_id = 0;
    Pieces pieces;
    std::size_t length = 0;
  };
  std::deque<Posted> posted;
  std::uint64_t next_id = 1;
  bool shared = false;
};

enum class Kind : std::uint8_t { kSend, kWrite, kRead, kAdd, kSwap, kStore, kSharedAdd, kBind, kInvalidate, kBadKey };

struct Operation {
  std::uint64_t wr_id = 0;
  Kind kind = Kind::kSend;
  bool signaled = true;
  Bytes bytes;              ///< what goes there, or what must come
  Pieces target;            ///< WRITE: the peer's bytes; READ and atomics: ours
  std::size_t word = 0;     ///< atomics
  std::uint64_t after = 0;  ///< kAdd, kSwap, kStore: the word's value afterwards
  std::uint64_t added = 0;  ///< kSharedAdd
  bool takes_receive = false;
  rxe::WcStatus expected_failure = rxe::WcStatus::kSuccess;  ///< kBadKey: what must become of it
};

/// Something that must arrive as a receive completion at the peer.
struct Message {
  bool is_write = false;
  std::size_t length = 0;
  Bytes bytes;  ///< empty for a WRITE with immediate
  std::optional<std::uint32_t> immediate;
  std::optional<std::uint32_t> invalidated;
  unsigned delivered = 0;
};

/// The word that all QPs of one direction add to.
struct SharedWord {
  struct Step {
    std::uint64_t original = 0, added = 0;
  };
  std::vector<Step> steps;
  bool in_doubt = false;
  std::string check(std::uint64_t value) const;  ///< the steps form one chain from 0 to the value
};

class Flow {
 public:
  Flow(Endpoint& endpoint, MemoryModel& here, MemoryModel& there, SharedWord& shared, std::size_t word)
      : self(endpoint), own(here), far(there), shared_word(shared), own_word(word) {}

  Endpoint& self;
  MemoryModel& own;
  MemoryModel& far;
  SharedWord& shared_word;
  const std::size_t own_word;  ///< of the peer: only this QP changes it
  std::uint64_t word_value = 0;

  std::deque<Operation> queue;
  std::deque<Message> messages;  ///< on their way to the peer
  std::uint64_t next_id = 1;
  ReceivePool* receives = nullptr;
  Flow* peer = nullptr;          ///< the other end's bookkeeping
  bool places_early = false;     ///< selective repeat: later messages may be placed when the peer fails, too
  bool peer_duplicates = false;  ///< the link repeats or reorders packets: UC and UD may deliver twice
  bool lossy = false;            ///< giving up after all retries is possible, though it must be rare
  bool doomed = false;           ///< failure has been provoked: errors are expected
  std::string gave_up;           ///< which request has run out of retries, and of which
  bool canary_lose_completion = false;
  std::uint64_t completed = 0;
  std::string complaint;

  struct Window {
    rxe::MwId mw{};
    std::uint32_t rkey = 0;
    Piece part;
    bool bound = false;
  };
  Window window;  ///< of this side, for the peer to write through

  bool connected() const { return self.options.type != rxe::QpType::kUd; }
  bool reliable() const { return self.options.type == rxe::QpType::kRc || self.is_xrc(); }
  /// Polls both queues of this side.
  void poll();
  /// The engines rest: what is still open must be what may be open.
  void rest();
  /// The QP has been reset or destroyed: nothing more will be told about what was open.
  void forget();

 private:
  void complain(const std::string& text, std::uint64_t wr_id);
  void sent(const rxe::Completion& completion);
  void succeed(const Operation& operation);
  void fail(const Operation& operation);
  void received(const rxe::Completion& completion);
  void take_message(const rxe::Completion& completion, const ReceivePool::Posted& receive);
  bool matches(const Message& message, const rxe::Completion& completion) const;
};

}  // namespace rocelab::test::soak
