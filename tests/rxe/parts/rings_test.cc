// FixedRing, SlotTable, DomainTable: the containers that the engine's resources are made of.
#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "rxe/domain_table.h"
#include "rxe/fixed_ring.h"
#include "rxe/slot_table.h"
#include "tests/support/catch.h"

namespace rocelab::rxe {

TEST_CASE("fixed ring: its capacity is the next power of two, at least one", "[rxe][ring]") {
  CHECK(FixedRing<int>().capacity() == 0);
  CHECK(FixedRing<int>(0).capacity() == 1);
  CHECK(FixedRing<int>(1).capacity() == 1);
  CHECK(FixedRing<int>(5).capacity() == 8);
  CHECK(FixedRing<int>(8).capacity() == 8);
}

TEST_CASE("fixed ring: first in, first out, over many wraps, like a deque", "[rxe][ring]") {
  base::Rng rng(1, "ring");
  FixedRing<std::uint64_t> ring(8);
  std::deque<std::uint64_t> model;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    if (!ring.full() && rng.chance(1, 2)) {
      ring.push(i);
      model.push_back(i);
    } else if (!ring.empty()) {
      ring.pop();
      model.pop_front();
    }
    REQUIRE(ring.size() == model.size());
    REQUIRE(ring.full() == (model.size() == 8));
    for (std::size_t k = 0; k < model.size(); ++k) REQUIRE(ring.at(ring.head() + k) == model[k]);
    if (!model.empty()) REQUIRE((ring.front() == model.front() && ring.back() == model.back()));
  }
}

TEST_CASE("fixed ring: resizing keeps entries and order, larger and smaller", "[rxe][ring]") {
  FixedRing<int> ring(4);
  for (int i = 0; i < 3; ++i) ring.push(i);
  ring.pop();
  ring.push(3);
  ring.push(4);
  ring.resize(16);
  CHECK(ring.capacity() == 16);
  ring.resize(4);
  CHECK(ring.capacity() == 4);
  for (int i = 1; i <= 4; ++i) {
    CHECK(ring.front() == i);
    ring.pop();
  }
  CHECK(ring.empty());
}

TEST_CASE("fixed ring: moved from, it is empty", "[rxe][ring]") {
  FixedRing<int> ring(4);
  ring.push(7);
  FixedRing<int> other(std::move(ring));
  CHECK(other.front() == 7);
  CHECK(ring.capacity() == 0);  // NOLINT(bugprone-use-after-move): that is what is tested
  CHECK(ring.empty());
}

TEST_CASE("slot table: numbers start at 1, so that a zero-initialised id names nothing", "[rxe][slots]") {
  SlotTable<std::string> table(4);
  CHECK(*table.emplace("a") == 1);
  CHECK(*table.emplace("b") == 2);
  CHECK(table.find(0) == nullptr);
  CHECK(table.find(3) == nullptr);
  CHECK(*table.find(2) == "b");
}

TEST_CASE("slot table: full it refuses with ENOMEM, and an erased number is used again", "[rxe][slots]") {
  SlotTable<int> table(2);
  REQUIRE(table.emplace(1).has_value());
  REQUIRE(table.emplace(2).has_value());
  CHECK(table.emplace(3).error().code == ENOMEM);
  CHECK(table.erase(1));
  CHECK_FALSE(table.erase(1));
  CHECK_FALSE(table.erase(99));
  CHECK(table.size() == 1);
  CHECK(*table.emplace(4) == 1);
  CHECK(*table.find(1) == 4);
}

TEST_CASE("slot table: objects keep their address while others come and go", "[rxe][slots]") {
  SlotTable<int> table(1000);
  const auto id = table.emplace(42);
  const int* address = table.find(*id);
  for (int i = 0; i < 500; ++i) REQUIRE(table.emplace(i).has_value());
  CHECK(table.find(*id) == address);
  std::vector<std::uint32_t> order;
  table.for_each([&](std::uint32_t number, int&) { order.push_back(number); });
  CHECK(order.size() == 501);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("protection domains: in use they are EBUSY, unknown EINVAL, too many ENOMEM", "[rxe][pd]") {
  PdTable table(2);
  const PdId pd = *table.alloc();
  CHECK(table.alloc().has_value());
  CHECK(table.alloc().error().code == ENOMEM);
  table.add_user(pd);
  CHECK(table.users(pd) == 1);
  CHECK(table.dealloc(pd).error().code == EBUSY);
  table.remove_user(pd);
  CHECK(table.dealloc(pd).has_value());
  CHECK(table.dealloc(pd).error().code == EINVAL);
  CHECK_FALSE(table.valid(pd));
  CHECK(table.users(pd) == 0);
  CHECK_FALSE(table.valid(PdId{}));
}

}  // namespace rocelab::rxe
