// Two UD (or GSI) endpoints of a Pair with address handles for each other: what the datagram tests talk to.
#pragma once

#include "tests/rxe/harness/endpoint.h"
#include "tests/rxe/harness/pair.h"

namespace rocelab::test {

/// Bytes in front of a datagram in the receive buffer: the GRH, or an IPv4 header in its last 20 bytes (IBTA A17.4.5).
inline constexpr std::size_t kGrh = 40;

struct DatagramPair {
  DatagramPair(Pair& pair, QpOptions options, rxe::QpType type = rxe::QpType::kUd)
      : a(pair.a, of_type(options, type)), b(pair.b, of_type(options, type)) {
    valid = connect(a, b);
    const auto a_made = pair.a.device.create_ah(pair.a.pd, route_to(2, options.sgid_index));
    const auto b_made = pair.b.device.create_ah(pair.b.pd, route_to(1, options.sgid_index));
    valid = valid && a_made && b_made;
    if (!valid) return;
    to_b = *a_made;
    to_a = *b_made;
  }
  explicit DatagramPair(Pair& pair) : DatagramPair(pair, QpOptions{}) {}

  /// A datagram from a to b.
  Work send(std::uint64_t wr_id) const { return Work::send(wr_id).to(to_b, b.qpn, b.options.qkey); }

  Endpoint a;
  Endpoint b;
  rxe::AhId to_b{};
  rxe::AhId to_a{};
  bool valid = false;

 private:
  static QpOptions of_type(QpOptions options, rxe::QpType type) {
    options.type = type;
    return options;
  }
};

}  // namespace rocelab::test
