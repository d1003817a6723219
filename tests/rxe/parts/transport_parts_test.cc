// The small parts inside the transport: responder resources, the deadlines of a QP, and copying with the last byte
// last. Their effects on the wire are tested in tests/rxe/engine.
#include <array>
#include <cstring>
#include <vector>

#include "rxe/local_memory.h"
#include "rxe/qp_timers.h"
#include "rxe/responder_resources.h"
#include "rxe/timer_queue.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

namespace {

ResponderResource& accept(ResponderResources& resources, std::uint32_t psn, std::uint32_t packets = 1) {
  ResponderResource& resource = resources.push();
  resource.first_psn = wire::Psn(psn);
  resource.packet_count = packets;
  return resource;
}

}  // namespace

TEST_CASE("responder resources: answers are owed in the order of requests", "[rxe][resources]") {
  ResponderResources resources;
  resources.resize(3);
  CHECK(resources.first_active() == nullptr);
  accept(resources, 10, 4);
  accept(resources, 14);
  CHECK(resources.first_active()->first_psn == wire::Psn(10));
  resources.finish_first();
  CHECK(resources.first_active()->first_psn == wire::Psn(14));
  resources.finish_first();
  CHECK(resources.first_active() == nullptr);
}

TEST_CASE("responder resources: a repeated request comes before later ones", "[rxe][resources]") {
  ResponderResources resources;
  resources.resize(3);
  accept(resources, 10, 4);
  resources.finish_first();
  accept(resources, 14);
  resources.activate(*resources.find(wire::Psn(12)));
  CHECK(resources.first_active()->first_psn == wire::Psn(10));
  resources.activate(*resources.find(wire::Psn(13)));  // twice is once
  resources.finish_first();
  CHECK(resources.first_active()->first_psn == wire::Psn(14));
  resources.finish_first();
  CHECK(resources.first_active() == nullptr);
}

TEST_CASE("responder resources: there is room again when the oldest has been answered once", "[rxe][resources]") {
  ResponderResources resources;
  resources.resize(2);
  accept(resources, 1);
  accept(resources, 2);
  CHECK_FALSE(resources.has_room());
  resources.finish_first();
  REQUIRE(resources.has_room());
  resources.activate(*resources.find(wire::Psn(1)));  // being answered again does not matter
  REQUIRE(resources.has_room());
  accept(resources, 3);
  CHECK(resources.find(wire::Psn(1)) == nullptr);
  CHECK(resources.first_active()->first_psn == wire::Psn(2));
  resources.finish_first();
  CHECK(resources.first_active()->first_psn == wire::Psn(3));
}

TEST_CASE("responder resources: with none at all there is never room", "[rxe][resources]") {
  ResponderResources resources;
  resources.resize(0);
  CHECK_FALSE(resources.has_room());
  CHECK(resources.find(wire::Psn(0)) == nullptr);
}

TEST_CASE("responder resources: a READ is found by any of its PSNs, around the wrap", "[rxe][resources]") {
  ResponderResources resources;
  resources.resize(2);
  accept(resources, 0xff'fffe, 4);
  for (const std::uint32_t psn : {0xff'fffeu, 0xff'ffffu, 0u, 1u}) CHECK(resources.find(wire::Psn(psn)) != nullptr);
  CHECK(resources.find(wire::Psn(2)) == nullptr);
  CHECK(resources.find(wire::Psn(0xff'fffd)) == nullptr);
}

TEST_CASE("qp timers: the queue holds the earliest deadline and gives each back once", "[rxe][timers]") {
  TimerQueue queue;
  queue.reserve(1);
  QpTimers timers(0);
  const auto at = [](std::uint64_t ns) { return base::TimePoint::from_ns(ns); };
  timers.arm(queue, Deadline::kAck, at(100));
  timers.arm(queue, Deadline::kPacing, at(50));
  CHECK(queue.next() == at(50));
  timers.arm(queue, Deadline::kAck, at(200));
  CHECK(queue.next() == at(50));
  timers.disarm(queue, Deadline::kPacing);
  CHECK(queue.next() == at(200));
  timers.arm(queue, Deadline::kRnr, at(150));
  REQUIRE(queue.pop_due(at(180)) == 0u);
  CHECK(timers.take_due(queue, at(180)) == Deadline::kRnr);
  CHECK(timers.take_due(queue, at(180)) == std::nullopt);
  CHECK(queue.next() == at(200));
  timers.disarm_all(queue);
  CHECK(queue.next() == std::nullopt);
}

TEST_CASE("local memory: any length at any alignment is copied exactly", "[rxe][memory]") {
  std::array<std::byte, 300> from{};
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i * 3 + 1);
  for (std::size_t alignment = 0; alignment < 8; ++alignment) {
    for (std::size_t length = 0; length <= 200; ++length) {
      std::vector<std::byte> to(300, std::byte{0xa5});
      place_bytes(to.data() + 16 + alignment, from.data() + 5, length);
      bool exact = std::memcmp(to.data() + 16 + alignment, from.data() + 5, length) == 0;
      for (std::size_t i = 0; i < to.size(); ++i) {
        const bool inside = i >= 16 + alignment && i < 16 + alignment + length;
        exact = exact && (inside || to[i] == std::byte{0xa5});
      }
      if (!exact) FAIL("alignment " << alignment << ", length " << length);
    }
  }
}

TEST_CASE("local memory: a gather list fills places of other lengths", "[rxe][memory]") {
  std::array<std::byte, 64> from{};
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i + 1);
  std::array<std::byte, 64> to{};
  const std::array<wire::Segment, 3> sources = {{{from.data(), 5}, {from.data() + 5, 40}, {from.data() + 45, 19}}};
  const std::array<MemoryPiece, 3> places = {{{to.data(), 1}, {to.data() + 1, 62}, {to.data() + 63, 1}}};
  fill(places, sources);
  CHECK(to == from);
}

}  // namespace rocelab::rxe
