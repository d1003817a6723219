// Who of a host's processes takes part in connection management, and which ports of rdma_cm they have: a second shared
// file of the run directory, which a process opens when it first uses connection management. An entry belongs to a
// process as the host page knows it (slot and generation), and is void when that process is gone: nothing has to be
// cleaned, whoever needs a place takes a void one.
//
// Binding happens under a file lock; readers take none and check what they read, as on the host page: a request's
// owner is looked up for every REQ that arrives. Every method may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "cm/service.h"
#include "runtime/host_page.h"
#include "runtime/run_directory.h"

namespace rocelab::runtime {

inline constexpr std::uint32_t kPortsMax = 16'384;  ///< bindings of a host, all processes together
inline constexpr std::uint16_t kEphemeralFirst = 32'768, kEphemeralLast = 60'999;  ///< Linux's defaults

struct PortClaim {
  cm::PortSpace space = cm::PortSpace::kTcp;
  std::uint16_t port = 0;                                  ///< 0: any that is free
  std::optional<wire::Gid> address;                        ///< nothing: all addresses
  cm::Service::Family family = cm::Service::Family::kAny;  ///< kAny: IPv6 that takes IPv4 too
  bool reuse = false;  ///< the port may be shared with others that say so, until one wants to listen
};

enum class PortHandle : std::uint32_t {};

struct PortBinding {
  PortHandle handle{};
  std::uint16_t port = 0;
};

class CmPage {
 public:
  static constexpr const char* kFileName = "cm-page";

  /// `host` outlives the object and has claimed its slot.
  static base::TextResult<std::unique_ptr<CmPage>> open(const RunDirectory& directory, const HostPage& host);
  ~CmPage();
  CmPage(const CmPage&) = delete;
  CmPage& operator=(const CmPage&) = delete;

  // --- taking part -------------------------------------------------------------------------------------------------
  void take_part(std::uint32_t device);
  /// A look at the page only: the process may have died a moment ago.
  bool takes_part(std::uint32_t slot, std::uint32_t device) const;
  /// The lowest living slot that takes part: it answers for what nobody owns.
  bool is_speaker(std::uint32_t device) const;

  // --- ports -------------------------------------------------------------------------------------------------------
  /// EADDRINUSE, EADDRNOTAVAIL as the kernel's bind: taken, or overlapping with an address that is; ENOMEM: no place.
  base::Result<PortBinding> bind(const PortClaim& claim);
  base::Result<PortHandle> publish(const cm::Service& service, std::uint32_t device);
  base::Result<void> listen(PortHandle handle, std::uint32_t device);
  void release(PortHandle handle);

  /// The slot of the process (this one or another, living) that listens to this on the device, best fit first.
  std::optional<std::uint32_t> owner_of(std::uint32_t device, std::uint64_t service_id,
                                        std::span<const std::byte> private_data) const;

  /// In the child after fork().
  void abandon() noexcept;

 private:
  struct Layout;
  struct Entry;
  struct Content;
  CmPage(const HostPage& host, int fd, std::string path);

  bool is_alive(std::uint64_t owner) const;
  /// 0, EADDRINUSE or EADDRNOTAVAIL.
  int conflict(const cm::Service& wanted, bool reuse, std::optional<std::uint32_t> except) const;
  // Under the page's lock.
  base::Result<PortHandle> place(const Content& content);
  Entry* mine(PortHandle handle);
  void bury_dead();

  const HostPage& host_;
  int fd_;
  Layout* page_ = nullptr;
  std::string path_;
};

}  // namespace rocelab::runtime
