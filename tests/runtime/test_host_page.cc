// The page that the processes of a host share, and who is alive on it (runtime/host_page.h). Children here fork before
// anything else runs, so nothing of the parent's survives in them but the code.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "base/rng.h"
#include "runtime/host_page.h"
#include "tests/runtime/child.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

using namespace rocelab;
using namespace rocelab::runtime;
using tests::Child;
using tests::Pipe;
using tests::TemporaryDirectory;

namespace {

constexpr std::uint64_t kLayout = 42;

HostPage open_page(const TemporaryDirectory& where, std::uint64_t layout = kLayout) {
  auto directory = RunDirectory::open(where.path());
  REQUIRE(directory.has_value());
  auto page = HostPage::open(*directory, layout);
  INFO((page ? "" : page.error()));
  REQUIRE(page.has_value());
  return std::move(*page);
}

std::string open_error(const TemporaryDirectory& where, std::uint64_t layout) {
  auto directory = RunDirectory::open(where.path());
  auto page = HostPage::open(*directory, layout);
  return page ? "" : page.error();
}

/// Claims a slot, says which, and waits to be told to end.
void claim_and_wait(const std::string& path, const Pipe& pipe) {
  auto directory = RunDirectory::open(path);
  auto page = HostPage::open(*directory, kLayout);
  auto slot = page->claim();
  const std::uint64_t counters[] = {slot ? *slot : 0u, 7};
  page->publish(counters);
  pipe.say(slot ? std::to_string(*slot) : slot.error());
  pipe.hear();
}

}  // namespace

TEST_CASE("host page: the first process gets slot 1, the next one slot 2", "[runtime][page]") {
  const TemporaryDirectory where;
  HostPage a = open_page(where), b = open_page(where);
  CHECK(a.claim() == 1u);
  CHECK(b.claim() == 2u);
  CHECK(a.slot() == 1);
  CHECK(b.slot() == 2);
  CHECK(a.occupant(2) == b.generation());
  CHECK(a.is_alive(2, b.generation()));
  CHECK_FALSE(a.is_alive(2, b.generation() + 1));
  CHECK_FALSE(a.occupant(3).has_value());
  CHECK_FALSE(a.occupant(0).has_value());
  CHECK_FALSE(a.occupant(256).has_value());
}

TEST_CASE("host page: claiming twice gives the same slot", "[runtime][page]") {
  const TemporaryDirectory where;
  HostPage page = open_page(where);
  CHECK(page.claim() == 1u);
  CHECK(page.claim() == 1u);
}

TEST_CASE("host page: a slot given back is not handed out next", "[runtime][page]") {
  const TemporaryDirectory where;
  HostPage a = open_page(where), b = open_page(where);
  CHECK(a.claim() == 1u);
  a.release();
  CHECK_FALSE(b.occupant(1).has_value());
  CHECK(b.claim() == 2u);
  CHECK(a.claim() == 3u);
}

TEST_CASE("host page: all 255 slots can be taken, and the 256th process is told so", "[runtime][page]") {
  const TemporaryDirectory where;
  std::vector<HostPage> pages;
  std::set<std::uint32_t> slots;
  for (std::uint32_t i = 0; i < kSlotsMax; ++i) {
    pages.push_back(open_page(where));
    slots.insert(*pages.back().claim());
  }
  CHECK(slots.size() == 255);
  CHECK(*slots.begin() == 1);
  CHECK(*slots.rbegin() == 255);
  HostPage late = open_page(where);
  const auto refused = late.claim();
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().find("all 255 slots are taken") != std::string::npos);
  const std::uint32_t freed = pages[100].slot();
  pages[100].release();
  CHECK(late.claim() == freed);
}

TEST_CASE("host page: the slot of a killed process is buried and handed out with another generation",
          "[runtime][page]") {
  const TemporaryDirectory where;
  Child child([&](const Pipe& pipe) { claim_and_wait(where.path(), pipe); });
  CHECK(child.pipe().hear() == "1");
  HostPage page = open_page(where);
  CHECK(page.claim() == 2u);
  const auto generation = page.occupant(1);
  REQUIRE(generation.has_value());
  CHECK(page.is_alive(1, *generation));
  CHECK_FALSE(page.bury(1, *generation));  // the living are not buried

  child.finish(SIGKILL);
  CHECK(page.occupant(1) == generation);  // the page does not know yet
  CHECK_FALSE(page.is_alive(1, *generation));
  CHECK(page.live_slots().size() == 1);
  CHECK_FALSE(page.bury(1, *generation + 1));  // somebody else
  CHECK(page.bury(1, *generation));
  CHECK_FALSE(page.bury(1, *generation));
  CHECK_FALSE(page.occupant(1).has_value());

  std::vector<HostPage> others;  // all the way round to slot 1
  std::uint32_t slot = 0;
  while (slot != 1) {
    others.push_back(open_page(where));
    slot = *others.back().claim();
  }
  CHECK(others.back().generation() != *generation);
}

TEST_CASE("host page: a dead process's slot is claimed even when nobody has buried it", "[runtime][page]") {
  const TemporaryDirectory where;
  {
    Child child([&](const Pipe& pipe) { claim_and_wait(where.path(), pipe); });
    CHECK(child.pipe().hear() == "1");
  }
  std::vector<HostPage> pages;
  for (std::uint32_t i = 0; i < kSlotsMax; ++i) {
    pages.push_back(open_page(where));
    CHECK(pages.back().claim().has_value());
  }
}

TEST_CASE("host page: peers are visited without oneself", "[runtime][page]") {
  const TemporaryDirectory where;
  HostPage a = open_page(where), b = open_page(where), c = open_page(where);
  REQUIRE((a.claim() && b.claim() && c.claim()));
  std::set<std::uint32_t> seen;
  b.for_each_peer([&](std::uint32_t slot, std::uint32_t) { seen.insert(slot); });
  CHECK(seen == std::set<std::uint32_t>{1, 3});
}

TEST_CASE("host page: each sleep has a number of its own", "[runtime][page]") {
  const TemporaryDirectory where;
  HostPage a = open_page(where), b = open_page(where);
  REQUIRE((a.claim() && b.claim()));
  CHECK_FALSE(b.sleep_of(1).has_value());
  a.fall_asleep();
  const auto first = b.sleep_of(1);
  REQUIRE(first.has_value());
  a.fall_asleep();
  CHECK(b.sleep_of(1) == first);
  a.wake_up();
  CHECK_FALSE(b.sleep_of(1).has_value());
  a.wake_up();
  CHECK_FALSE(b.sleep_of(1).has_value());
  a.fall_asleep();
  CHECK(b.sleep_of(1).has_value());
  CHECK(b.sleep_of(1) != first);
}

TEST_CASE("host page: counters of the living are seen, those of the ended are summed", "[runtime][page]") {
  const TemporaryDirectory where;
  HostPage reader = open_page(where);
  {
    HostPage a = open_page(where);
    REQUIRE(a.claim());
    const std::uint64_t counters[] = {10, 20};
    a.publish(counters);
    const auto views = reader.live_slots();
    REQUIRE(views.size() == 1);
    CHECK(views[0].slot == 1);
    CHECK(views[0].pid == static_cast<std::uint32_t>(getpid()));
    CHECK_FALSE(views[0].command.empty());
    CHECK(views[0].counters[1] == 20);
    CHECK(reader.retired_counters()[1] == 0);
  }
  CHECK(reader.live_slots().empty());
  CHECK(reader.retired_counters()[0] == 10);
  CHECK(reader.retired_counters()[1] == 20);

  Child child([&](const Pipe& pipe) { claim_and_wait(where.path(), pipe); });
  CHECK(child.pipe().hear() == "2");
  child.finish(SIGKILL);
  CHECK(reader.bury(2, *reader.occupant(2)));
  CHECK(reader.retired_counters()[0] == 12);
  CHECK(reader.retired_counters()[1] == 27);
}

TEST_CASE("host page: processes of another layout are kept out while the page is in use", "[runtime][page]") {
  const TemporaryDirectory where;
  {
    HostPage a = open_page(where);  // open is enough, a slot is not needed
    CHECK(open_error(where, kLayout + 1).find("another rocelab version") != std::string::npos);
    REQUIRE(a.claim());
    CHECK(open_error(where, kLayout + 1).find("another rocelab version") != std::string::npos);
  }
  CHECK(open_page(where, kLayout + 1).claim().has_value());  // and made anew when nobody is left
}

TEST_CASE("host page: a file of another size is made anew when nobody uses it", "[runtime][page]") {
  const TemporaryDirectory where;
  std::ofstream(where.file(HostPage::kFileName)) << "short";
  chmod(where.file(HostPage::kFileName).c_str(), 0600);
  CHECK(open_page(where).claim() == 1u);
}

TEST_CASE("host page: what is no file of ours is refused", "[runtime][page]") {
  const TemporaryDirectory where;
  REQUIRE(symlink("/etc/passwd", where.file(HostPage::kFileName).c_str()) == 0);
  CHECK(open_error(where, kLayout).find("cannot open it") != std::string::npos);
  unlink(where.file(HostPage::kFileName).c_str());
  REQUIRE(mkdir(where.file(HostPage::kFileName).c_str(), 0700) == 0);
  CHECK_FALSE(open_error(where, kLayout).empty());
}

TEST_CASE("host page: a page scribbled over gives values in range and never a crash", "[runtime][page]") {
  const TemporaryDirectory where;
  HostPage page = open_page(where);
  REQUIRE(page.claim() == 1u);
  const int fd = open(where.file(HostPage::kFileName).c_str(), O_RDWR);
  REQUIRE(fd >= 0);
  struct stat status {};
  REQUIRE(fstat(fd, &status) == 0);
  const auto size = static_cast<std::size_t>(status.st_size);
  auto* const bytes = static_cast<unsigned char*>(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  REQUIRE(bytes != MAP_FAILED);
  base::Rng rng(1, "scribble");
  for (int round = 0; round < 20; ++round) {
    if (round == 0) {
      std::memset(bytes, 0xff, size);
    } else {
      for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(rng.next());
    }
    page.for_each_peer([&](std::uint32_t slot, std::uint32_t generation) {
      CHECK(slot >= 2);
      CHECK(slot <= kSlotsMax);
      CHECK_FALSE(page.is_alive(slot, generation));  // the kernel knows of no owner
    });
    for (const SlotView& view : page.live_slots()) {
      CHECK(view.slot == 1);
      CHECK(view.command.size() <= 16);
    }
    page.fall_asleep();
    page.wake_up();
    CHECK(page.retired_counters().size() == kCountersMax);
  }
  CHECK(open_error(where, kLayout).find("another rocelab version") != std::string::npos);
  munmap(bytes, size);
  close(fd);
}

TEST_CASE("host page: a stopped process that holds the claim lock does not hang others for ever", "[runtime][page]") {
  const TemporaryDirectory where;
  HostPage page = open_page(where);
  Child child([&](const Pipe& pipe) {
    const int fd = open(where.file(HostPage::kFileName).c_str(), O_RDWR);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    fcntl(fd, F_OFD_SETLK, &lock);
    pipe.say("locked");
    pipe.hear();
  });
  CHECK(child.pipe().hear() == "locked");
  const auto claimed = page.claim();
  REQUIRE_FALSE(claimed.has_value());
  CHECK(claimed.error().find("is one stopped?") != std::string::npos);
  child.finish(SIGKILL);
  CHECK(page.claim() == 1u);
}

TEST_CASE("host page: a forked child that lets go does not keep the parent's slot alive", "[runtime][page]") {
  const TemporaryDirectory where;
  Child parent([&](const Pipe& pipe) {
    auto directory = RunDirectory::open(where.path());
    auto page = HostPage::open(*directory, kLayout);
    auto slot = page->claim();
    if (fork() == 0) {
      page->abandon();
      pipe.say(std::to_string(*slot));
      pipe.hear();  // outlives its parent
      _exit(0);
    }
    pause();
  });
  CHECK(parent.pipe().hear() == "1");
  HostPage page = open_page(where);
  REQUIRE(page.claim());
  const auto generation = page.occupant(1);
  CHECK(page.is_alive(1, *generation));
  parent.finish(SIGKILL);
  CHECK_FALSE(page.is_alive(1, *generation));
}
