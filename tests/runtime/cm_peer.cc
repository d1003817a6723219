// A process of a host that makes connections, for tests/runtime/test_connections.cc: opens the device of the
// configuration in its environment and obeys lines on standard input, answering each with one line. It ends with its
// input.
//
//   listen PORT | stop           a listener, one at a time; 0: any port, whose number is the answer
//   accept | refuse              waits for a request
//   connect PORT                 to the process that listens, and waits; "rejected REASON" when it is refused
//   request PORT                 the same without waiting
//   write I BYTES                RDMA WRITE to the peer of connection I, READ back, compare
//   disconnect I | await-end I | destroy I
//   slot | counters
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "runtime/host.h"
#include "tests/runtime/cm_endpoint.h"

using namespace rocelab;

namespace {

std::string obey(runtime::Host& host, tests::CmEndpoint& endpoint, const std::string& line) {
  std::istringstream in(line);
  std::string command;
  std::size_t number = 0;
  std::uint32_t bytes = 0;
  in >> command >> number >> bytes;
  if (command == "listen") return endpoint.listen(static_cast<std::uint16_t>(number));
  if (command == "stop") return endpoint.stop_listening();
  if (command == "accept") return endpoint.accept();
  if (command == "refuse") return endpoint.refuse();
  if (command == "connect") return endpoint.connect(static_cast<std::uint16_t>(number), true);
  if (command == "request") return endpoint.connect(static_cast<std::uint16_t>(number), false);
  if (command == "write") return endpoint.write(number, bytes);
  if (command == "disconnect") return endpoint.disconnect(number);
  if (command == "await-end") return endpoint.await_end(number);
  if (command == "destroy") return endpoint.destroy(number);
  if (command == "counters") return endpoint.counters();
  if (command == "slot") return std::to_string(host.slot());
  return "what?";
}

}  // namespace

int main() {
  auto config = runtime::load_config();
  if (!config) return std::puts(config.error().c_str()), 2;
  auto host = runtime::Host::create(std::move(*config));
  if (!host) return std::puts(host.error().c_str()), 2;
  auto device = (*host)->open_device(0);
  if (!device) return std::puts(device.error().c_str()), 2;
  const char* const gid = std::getenv("CM_PEER_GID");
  tests::CmEndpoint endpoint(**device, gid != nullptr ? static_cast<std::uint8_t>(*gid - '0') : std::uint8_t{3});
  for (std::string line; std::getline(std::cin, line);) {
    std::puts(obey(**host, endpoint, line).c_str());
    std::fflush(stdout);
  }
  return 0;
}
