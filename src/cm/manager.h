// Connection management of one device (IBTA vol 1, chapter 12) as a passive state machine: a table of communication
// ids, each with its state, its message to repeat and its deadline. It does no I/O, reads no clock and draws no chance
// but from its seed: MADs are handed in and polled out, `now` is an argument. Driven by runtime::ConnectionService
// under the engine lock; by tests over a faulty link in virtual time.
//
// Several processes share a device, and each of them hears every MAD that comes for it. An id's top 8 bits name the
// process, so a Manager is silent about what names another's; requests, which name nobody, belong to who listens. What
// nobody answers for is answered by one of them (Neighbours).
//
// Calls fail with EINVAL when the id's state does not allow them (state.h) or a length is beyond its field, ENOENT for
// an id that does not exist, ENOMEM beyond a limit; they then have changed nothing. Not thread-safe. `now` never
// decreases.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/result.h"
#include "cm/types.h"

namespace rocelab::cm {

using base::Result;

/// The other processes that hear the same MADs. Asked rarely: for what is not this process's.
class Neighbours {
 public:
  virtual ~Neighbours() = default;
  /// The process (this one or another, living) that a request for this belongs to; nothing when nobody has said so. The
  /// own listeners are asked when there is nothing.
  virtual std::optional<std::uint8_t> owner_of(std::uint64_t service_id,
                                               std::span<const std::byte> private_data) const = 0;
  /// A living process owns the slot (the top 8 bits of an id).
  virtual bool is_alive(std::uint8_t slot) const = 0;
  /// This process is the one that answers for what nobody owns.
  virtual bool we_speak() const = 0;
  /// The GID is of this host, so that a slot in an id of the peer is one of ours.
  virtual bool is_local(const wire::Gid& gid) const = 0;
};

struct ManagerOptions {
  std::uint64_t seed;         ///< no default: ids of a process and of its successor in the slot should differ
  std::uint8_t slot = 1;      ///< top 8 bits of ids, 1..255
  std::uint64_t ca_guid = 0;  ///< of the device
  std::size_t ids_max = 65'536;
  std::size_t sends_max = 8'192;    ///< MADs waiting for poll_send; beyond it they are lost like on a wire
  std::size_t events_max = 65'536;  ///< events waiting for poll_event; beyond it requests are dropped
};

/// What happened, for tests and `rocelab dev --counters`.
struct ManagerCounters {
  std::uint64_t received = 0, sent = 0, repeated = 0;
  std::uint64_t malformed = 0;     ///< no CM message
  std::uint64_t not_ours = 0;      ///< of another process of the host
  std::uint64_t unknown = 0;       ///< names an id that is not there
  std::uint64_t duplicates = 0;    ///< repeated by the peer, and answered again where there is an answer
  std::uint64_t out_of_state = 0;  ///< not in order in the id's state
  std::uint64_t no_listener = 0;
  std::uint64_t stale = 0;     ///< REQ or REP with a QP that we know in another connection
  std::uint64_t timeouts = 0;  ///< retries exhausted
  std::uint64_t dropped = 0;   ///< beyond a limit
};

class Manager {
 public:
  /// `neighbours` outlives the Manager.
  Manager(const ManagerOptions& options, const Neighbours& neighbours);
  ~Manager();
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // --- what happened -----------------------------------------------------------------------------------------------
  /// A datagram for QP1 of this device. `path` is the packet's own: its source is the peer.
  void handle_mad(TimePoint now, const wire::Path& path, std::span<const std::byte> bytes);
  void handle_timeout(TimePoint now);  ///< spurious calls are harmless
  /// The process in this slot of our host is gone: its connections end as by a DREQ.
  void handle_peer_death(TimePoint now, std::uint8_t slot);

  // --- what to do next ---------------------------------------------------------------------------------------------
  struct Send {
    wire::Path path;  ///< source is our side
    std::array<std::byte, kMadBytes> bytes;
  };
  /// The next datagram to send from QP1 to the peer's QP1; nullptr when there is none. Valid until the next call.
  const Send* next_send() const;
  void pop_send();  ///< it has left, or nothing can take it
  std::optional<TimePoint> next_timeout() const;
  std::optional<Event> poll_event();
  bool has_event() const;

  // --- ids ---------------------------------------------------------------------------------------------------------
  Result<Id> create_id(void* user);
  void set_user(Id id, void* user);
  /// The id is gone for the caller at once: no more events, and no call may name it. What the protocol still owes the
  /// peer (a REJ, a DREQ with its repetitions, the rest of a timewait) the Manager does by itself.
  Result<void> destroy_id(TimePoint now, Id id);
  Result<Info> info(Id id) const;

  // --- calls -------------------------------------------------------------------------------------------------------
  /// EADDRINUSE: another id of this Manager listens to the very same.
  Result<void> listen(Id id, const Service& service);
  Result<void> send_req(TimePoint now, Id id, const ReqParam& param);
  Result<void> send_rep(TimePoint now, Id id, const RepParam& param);
  Result<void> send_rtu(TimePoint now, Id id, std::span<const std::byte> private_data);
  /// Refuses a REQ or a REP, or gives up a connection that is not established.
  Result<void> send_rej(TimePoint now, Id id, const RejParam& param);
  /// Asks for timeout_of(service_timeout) more.
  Result<void> send_mra(TimePoint now, Id id, std::uint8_t service_timeout, MraWhen when,
                        std::span<const std::byte> private_data);
  Result<void> send_dreq(TimePoint now, Id id, std::span<const std::byte> private_data);
  Result<void> send_drep(TimePoint now, Id id, std::span<const std::byte> private_data);
  Result<void> notify_established(TimePoint now, Id id);
  Result<void> send_sidr_req(TimePoint now, Id id, const SidrReqParam& param);
  Result<void> send_sidr_rep(TimePoint now, Id id, const SidrRepParam& param);

  /// destroy_id for every id: the process is leaving, and says so to its peers.
  void destroy_all(TimePoint now);

  const ManagerCounters& counters() const;
  /// Ids that know their peer.
  std::size_t connection_count() const;
  /// Bit i: a connection leads to the process in slot i of our own host.
  std::bitset<256> local_peers() const;
  std::size_t id_count() const;  ///< with those that nobody but the protocol needs any more

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rocelab::cm
