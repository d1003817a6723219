// The page of ports that a host's processes share: two owners in one process stand for two processes.
#include <cerrno>
#include <memory>

#include "runtime/cm_page.h"
#include "tests/runtime/temporary_directory.h"
#include "tests/support/catch.h"

using namespace rocelab;
using cm::PortSpace;
using cm::Service;
using runtime::CmPage;
using runtime::HostPage;
using runtime::PortClaim;
using tests::TemporaryDirectory;

namespace {

constexpr std::uint64_t kLayout = 1;

/// A slot and a page.
struct Process {
  explicit Process(const std::string& path)
      : directory(std::move(*runtime::RunDirectory::open(path))), host(std::move(*HostPage::open(directory, kLayout))) {
    REQUIRE(host.claim());
    auto opened = CmPage::open(directory, host);
    REQUIRE(opened);
    page = std::move(*opened);
    page->take_part(0);
  }
  runtime::RunDirectory directory;
  HostPage host;
  std::unique_ptr<CmPage> page;
};

PortClaim claim(std::uint16_t port, std::optional<wire::Gid> address = {}, Service::Family family = {}) {
  return {PortSpace::kTcp, port, address, family, false};
}

int error_of(const base::Result<runtime::PortBinding>& result) { return result ? 0 : result.error().code; }

}  // namespace

TEST_CASE("cm page: a port is one process's, and free when it is given back", "[runtime][cm_page]") {
  TemporaryDirectory where;
  Process a(where.path()), b(where.path());
  const auto bound = a.page->bind(claim(80));
  REQUIRE(bound);
  CHECK(bound->port == 80);
  CHECK(error_of(b.page->bind(claim(80))) == EADDRINUSE);
  CHECK(error_of(a.page->bind(claim(80))) == EADDRINUSE);
  CHECK(error_of(b.page->bind({PortSpace::kUdp, 80, {}, {}, false})) == 0);  // another space
  b.page->release(bound->handle);                                            // not b's
  CHECK(error_of(b.page->bind(claim(80))) == EADDRINUSE);
  a.page->release(bound->handle);
  CHECK(error_of(b.page->bind(claim(80))) == 0);
}

TEST_CASE("cm page: addresses share a port as in Linux", "[runtime][cm_page]") {
  TemporaryDirectory where;
  Process a(where.path()), b(where.path());
  const auto one = wire::Gid::from_ipv4(0x0a00'0001), two = wire::Gid::from_ipv4(0x0a00'0002);
  REQUIRE(a.page->bind(claim(80, one)));
  CHECK(error_of(b.page->bind(claim(80, two))) == 0);
  CHECK(error_of(b.page->bind(claim(80, one))) == EADDRINUSE);
  CHECK(error_of(b.page->bind(claim(80))) == EADDRNOTAVAIL);
  CHECK(error_of(b.page->bind(claim(80, {}, Service::Family::kIpv4))) == EADDRNOTAVAIL);
  CHECK(error_of(b.page->bind(claim(80, {}, Service::Family::kIpv6))) == 0);  // no IPv4 address can meet it
}

TEST_CASE("cm page: a shared port is nobody's to listen on alone", "[runtime][cm_page]") {
  TemporaryDirectory where;
  Process a(where.path()), b(where.path());
  PortClaim shared = claim(80);
  shared.reuse = true;
  const auto at_a = a.page->bind(shared), at_b = b.page->bind(shared);
  REQUIRE(at_a);
  REQUIRE(at_b);
  CHECK(a.page->listen(at_a->handle, 0).error().code == EADDRINUSE);
  b.page->release(at_b->handle);
  CHECK(a.page->listen(at_a->handle, 0).has_value());
  CHECK(b.page->listen(at_a->handle, 0).error().code == EINVAL);  // not b's
}

TEST_CASE("cm page: any port is one that nobody has", "[runtime][cm_page]") {
  TemporaryDirectory where;
  Process a(where.path()), b(where.path());
  std::uint16_t before = 0;
  for (int i = 0; i < 200; ++i) {
    const auto bound = (i % 2 == 0 ? a : b).page->bind(claim(0));
    REQUIRE(bound);
    CHECK(bound->port >= runtime::kEphemeralFirst);
    CHECK(bound->port <= runtime::kEphemeralLast);
    CHECK(bound->port != before);
    before = bound->port;
    CHECK(error_of(b.page->bind(claim(bound->port))) == EADDRINUSE);
  }
}

TEST_CASE("cm page: a request's owner is the listener that fits best, on that device", "[runtime][cm_page]") {
  TemporaryDirectory where;
  Process a(where.path()), b(where.path());
  const auto gid = wire::Gid::from_ipv4(0x0a00'0001), other = wire::Gid::from_ipv4(0x0a00'0002);
  const auto request_to = [](const wire::Gid& to) {
    cm::IpHeader header;
    header.source = header.destination = to;
    std::array<std::byte, cm::IpHeader::kSize> bytes;
    header.emit(bytes);
    return bytes;
  };
  const std::uint64_t id = cm::service_id(PortSpace::kTcp, 80);
  const auto at_a = a.page->bind(claim(80, gid));
  const auto at_b = b.page->bind(claim(80, other));
  CHECK_FALSE(a.page->owner_of(0, id, request_to(gid)).has_value());  // bound is not listening
  REQUIRE(a.page->listen(at_a->handle, 0));
  REQUIRE(b.page->listen(at_b->handle, 0));
  for (const Process* process : {&a, &b}) {
    CHECK(process->page->owner_of(0, id, request_to(gid)) == a.host.slot());
    CHECK(process->page->owner_of(0, id, request_to(other)) == b.host.slot());
    CHECK_FALSE(process->page->owner_of(1, id, request_to(gid)).has_value());
    CHECK_FALSE(process->page->owner_of(0, id + 1, request_to(gid)).has_value());
    CHECK_FALSE(process->page->owner_of(0, id, {}).has_value());
  }
  const auto published = b.page->publish({0x1234, cm::kExactService, {}, {}}, 0);
  REQUIRE(published);
  CHECK(a.page->owner_of(0, 0x1234, {}) == b.host.slot());
  b.page->release(*published);
  CHECK_FALSE(a.page->owner_of(0, 0x1234, {}).has_value());
}

TEST_CASE("cm page: what an ended process had is free, and the next one speaks", "[runtime][cm_page]") {
  TemporaryDirectory where;
  auto a = std::make_unique<Process>(where.path());
  Process b(where.path());
  const std::uint32_t slot = a->host.slot();
  CHECK(a->page->is_speaker(0));
  CHECK_FALSE(b.page->is_speaker(0));
  CHECK(b.page->takes_part(slot, 0));
  CHECK_FALSE(b.page->takes_part(slot, 1));
  const auto bound = a->page->bind(claim(80));
  REQUIRE(a->page->listen(bound->handle, 0));
  a.reset();
  CHECK(b.page->is_speaker(0));
  CHECK_FALSE(b.page->takes_part(slot, 0));
  CHECK_FALSE(b.page->owner_of(0, cm::service_id(PortSpace::kTcp, 80), {}).has_value());
  CHECK(error_of(b.page->bind(claim(80))) == 0);
}

TEST_CASE("cm page: a full page says so, and a new host begins with an empty one", "[runtime][cm_page]") {
  TemporaryDirectory where;
  {
    Process a(where.path());
    for (std::uint32_t i = 0; i < runtime::kPortsMax; ++i) {
      const auto published = a.page->publish({i, cm::kExactService, {}, {}}, 0);
      if (!published) FAIL("no place for entry " << i);
    }
    CHECK(a.page->publish({1, cm::kExactService, {}, {}}, 0).error().code == ENOMEM);
  }
  Process b(where.path());
  CHECK_FALSE(b.page->owner_of(0, 5, {}).has_value());
  CHECK(error_of(b.page->bind(claim(80))) == 0);
}
