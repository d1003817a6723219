// The Manager's parts, shared by its .cc files: manager.cc (ids, queues, time), manager_calls.cc (what the consumer
// wants), manager_connect.cc (REQ, REP, RTU, MRA), manager_end.cc (REJ, DREQ, DREP, LAP, deaths), manager_sidr.cc.
#pragma once

#include <deque>
#include <optional>
#include <span>

#include "base/rng.h"
#include "cm/connection_table.h"
#include "cm/manager.h"

namespace rocelab::cm {

// What a peer may ask of us is bounded: its codes go up to 2.4 hours.
inline constexpr Duration kIntervalMax = Duration::s(60);  ///< between two repetitions
inline constexpr Duration kMraMax = Duration::s(600);      ///< of more time
inline constexpr Duration kTimewaitMax = Duration::s(30);

struct Manager::Impl {
  /// A SIDR_REQ that was answered a short while ago, and the answer.
  struct Resolved {
    wire::Gid gid;
    std::uint32_t request = 0;
    TimePoint when;
    Send answer;
  };
  static constexpr std::size_t kResolvedMax = 512;
  static constexpr Duration kResolvedFor = Duration::s(10);  ///< longer than the peer's pause between two requests

  Impl(Manager& manager, const ManagerOptions& o, const Neighbours& n);

  Manager& self;
  const ManagerOptions options;
  const Neighbours& neighbours;
  base::Rng rng;
  ConnectionTable table;
  std::deque<Send> sends;
  std::deque<Event> events;
  std::deque<Resolved> resolved;
  ManagerCounters counters;

  // --- helpers (manager.cc) ----------------------------------------------------------------------------------------
  /// The id if it is the consumer's.
  Connection* own(Id id) const;
  std::uint64_t new_transaction(const Connection& c) { return (rng.next() & ~0xffff'ffffull) | c.number(); }
  void transmit(const wire::Path& path, const Connection::Bytes& bytes);
  void transmit(const wire::Path& path, std::uint64_t transaction, const Message& message);
  Connection::Bytes encode(std::uint64_t transaction, const Message& message) const;
  /// Sends it now, and again every c.interval until hush().
  void say_until_answered(TimePoint now, Connection& c, std::uint64_t transaction, const Message& message);
  void hush(Connection& c);
  /// Sends it now, and whenever the peer repeats what it answers.
  void answer(Connection& c, std::uint64_t transaction, const Message& message);
  void answer_again(Connection& c);

  Event event_of(EventKind kind, const Connection& c) const;
  void tell(EventKind kind, const Connection& c);
  void tell(EventKind kind, const Connection& c, const Message& message);
  void push(Event event);

  /// Enters the state and does what entering it means: timewait has its deadline, idle forgets the peer and, when
  /// nobody wants the id any more, ends it (`c` is gone then: true).
  bool enter(TimePoint now, Connection& c, State state);
  void forget_peer(Connection& c);
  /// Refuses the requests that a listener has heard and its consumer has not been told of.
  void drop_unseen(TimePoint now, Id listener);

  // --- what came (manager_connect.cc, manager_end.cc, manager_sidr.cc) -----------------------------------------------
  using Path = wire::Path;
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Req& req);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Rep& rep);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Rtu& rtu);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Mra& mra);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Rej& rej);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Dreq& dreq);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Drep& drep);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Lap& lap);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const Apr& apr);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const SidrReq& req);
  void handle(TimePoint now, const Path& path, std::uint64_t tid, const SidrRep& rep);

  /// Whose a message with our side's id is: the connection, or nothing (counted). `answerable`: nobody of this host
  /// knows the id and it is for this process to say so.
  struct Found {
    Connection* connection = nullptr;
    bool answerable = false;
  };
  Found find(const Path& path, std::uint32_t our_id, std::optional<std::uint32_t> their_id);
  /// Nothing: the request belongs to another process, or nobody listens (`refuse` tells which).
  Connection* find_listener(std::uint64_t service, std::span<const std::byte> private_data, bool& refuse);
  std::optional<RejectReason> objection(const Path& path, const Req& req) const;
  void refuse(const Path& path, std::uint64_t tid, const Req& req, RejectReason reason);
  void handle_repeated(const Path& path, std::uint64_t tid, Connection& c, const Req& req);
  void retire_stale(TimePoint now, Connection& c);
  void disconnect(TimePoint now, Connection& c, const PrivateData& private_data);
  void time_out(TimePoint now, Connection& c);
};

/// The way back.
wire::Path reversed(const wire::Path& path);
Duration repeat_interval(std::uint8_t response_timeout, std::uint8_t ack_timeout);

}  // namespace rocelab::cm
