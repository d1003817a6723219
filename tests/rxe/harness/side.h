// One engine of a test with what surrounds it: its device, a protection domain, its addresses, a sink that can refuse
// packets, and the events it has reported. Owned by Pair or Solo, which bring clock and packets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "rxe/device.h"
#include "tests/rxe/harness/region.h"
#include "tests/rxe/harness/work.h"

namespace rocelab::test {

/// Indices of the GID table that every Side has.
enum GidIndex : std::uint8_t { kGidV2Ipv4 = 0, kGidV2Ipv6 = 1, kGidV1Ipv4 = 2, kGidV1Ipv6 = 3 };

/// `number` tells the sides apart: MAC 02:00:00:00:00:NN, 10.0.0.NN, fd00::NN.
wire::MacAddress mac_of(unsigned number);
wire::Gid gid_of(unsigned number, std::uint8_t gid_index);
/// How packets from side `from` to side `to` are addressed.
rxe::AddressVector route_to(unsigned to, std::uint8_t sgid_index);

class Side final : public rxe::TxSink {
 public:
  Side(unsigned number, rxe::DeviceOptions options);

  const unsigned number;
  rxe::Device device;
  rxe::PdId pd{};
  base::TimePoint now;  ///< the test's clock, kept by the owner

  /// Back-pressure: refuses the next `refuse_next` packets, then each with the chance refuse_per_mille.
  std::uint64_t refuse_next = 0;
  std::uint32_t refuse_per_mille = 0;
  std::uint64_t refused = 0;

  /// Lets the device speak: at most `burst` packets; each goes to `out`. Returns how many were taken.
  std::size_t transmit(std::size_t burst);
  std::function<void(const wire::Packet&)> out;
  bool transmit(const wire::Packet& packet) override;

  /// Fetches what the device reports into `events`; returns how many there are.
  std::size_t gather_events();
  std::vector<rxe::Event> events;
  /// How many of `events` are of this type (and for this user, when given).
  std::size_t count_events(rxe::EventType type, const void* user = nullptr);

  /// Broken promises of the engine, found while driving it; a test demands that it is empty.
  std::string complaint;

 private:
  base::Rng rng_;
};

/// Options for a device of a test: a seed, small tables.
rxe::DeviceOptions device_options(std::uint64_t seed);

}  // namespace rocelab::test
