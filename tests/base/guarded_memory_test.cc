// Copies to and from memory that may not be there.
#include "base/guarded_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "tests/support/catch.h"

using namespace rocelab::base;

namespace {

constexpr std::size_t kPage = 4096;

/// Two pages, of which the second may be taken away.
struct Pages {
  Pages()
      : bytes(static_cast<std::byte*>(
            mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    REQUIRE(bytes != MAP_FAILED);
  }
  ~Pages() { munmap(bytes, 2 * kPage); }
  void unmap_second() { REQUIRE(munmap(bytes + kPage, kPage) == 0); }
  std::byte* bytes;
};

}  // namespace

TEST_CASE("a marked address keeps its mark through arithmetic, and gives its address back", "[base]") {
  std::byte local[16];
  CHECK(!is_guarded(local));
  CHECK(!is_guarded(nullptr));
  std::byte* marked = guarded(local);
  CHECK(is_guarded(marked));
  CHECK(is_guarded(marked + 8));
  CHECK(unguarded(marked + 8) == local + 8);
  CHECK(guarded(marked) == marked);
  CHECK(is_guarded(nowhere() + 0x7fff'ffff'0000));
}

TEST_CASE("bytes are copied both ways, across pages and of every length", "[base]") {
  if (!guarded_memory_works()) return;
  Pages pages;
  std::byte pattern[100], back[100];
  for (std::size_t i = 0; i < sizeof pattern; ++i) pattern[i] = static_cast<std::byte>(i + 1);
  for (std::size_t length = 0; length <= sizeof pattern; ++length) {
    std::byte* at = pages.bytes + kPage - length / 2;
    std::memset(pages.bytes, 0, 2 * kPage);
    REQUIRE(guarded_write(guarded(at), pattern, length));
    CHECK(std::memcmp(at, pattern, length) == 0);
    CHECK(at[length] == std::byte{0});
    REQUIRE(guarded_read(back, guarded(at), length));
    CHECK(std::memcmp(back, pattern, length) == 0);
  }
}

TEST_CASE("what is not mapped, or not for this access, is refused and errno kept", "[base]") {
  if (!guarded_memory_works()) return;
  Pages pages;
  pages.unmap_second();
  std::byte bytes[16]{};
  errno = 1234;
  CHECK(!guarded_read(bytes, guarded(pages.bytes + kPage), 8));
  CHECK(!guarded_read(bytes, guarded(pages.bytes + kPage - 8), 16));
  CHECK(!guarded_write(guarded(pages.bytes + kPage - 8), bytes, 16));
  CHECK(!guarded_write(guarded(nullptr), bytes, 1));
  CHECK(!fault_in(guarded(pages.bytes), 2 * kPage, false));
  CHECK(!fault_in(guarded(nullptr), 1, false));
  CHECK(!fault_in(guarded(pages.bytes), ~std::size_t{0}, false));
  CHECK(fault_in(guarded(pages.bytes + 5), 10, true));
  REQUIRE(mprotect(pages.bytes, kPage, PROT_READ) == 0);
  CHECK(!fault_in(guarded(pages.bytes), 8, true));
  CHECK(fault_in(guarded(pages.bytes), 8, false));
  CHECK(!guarded_write(guarded(pages.bytes), bytes, 8));
  CHECK(guarded_read(bytes, guarded(pages.bytes), 8));
  CHECK(errno == 1234);
}

TEST_CASE("nowhere gives zeros and takes everything", "[base]") {
  std::byte bytes[16];
  std::memset(bytes, 0xa5, sizeof bytes);
  CHECK(fault_in(nowhere() + 12, 1u << 30, true));
  CHECK(guarded_write(nowhere() + 1000, bytes, sizeof bytes));
  CHECK(guarded_read(bytes, nowhere(), sizeof bytes));
  for (const std::byte byte : bytes) CHECK(byte == std::byte{0});
}
