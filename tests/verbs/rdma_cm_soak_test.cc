// Commands to the rdma_cm device by seed: sound ones in any order, and bytes that are none. Nothing may be written
// beyond a reply's room (each reply is on the heap, for the address sanitizer), and afterwards the device works as
// before.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <rdma/rdma_user_cm.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/support/catch.h"
#include "verbs/rdma_cm/exports.h"

namespace {

constexpr std::size_t kChannels = 3;
constexpr std::uint32_t kSteps = 6'000;
constexpr std::size_t kBytesMax = 400, kReplyMax = 512, kOptionMax = 144;

/// splitmix64.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e37'79b9'7f4a'7c15);
    z = (z ^ z >> 30) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ z >> 27) * 0x94d0'49bb'1331'11eb;
    return z ^ z >> 31;
  }
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

template <class T>
std::size_t put(std::vector<unsigned char>& body, const T& value) {
  std::memcpy(body.data(), &value, sizeof(value));
  return sizeof(value);
}

/// A command that could be in order, for one of a few ids and ports.
std::size_t sound(Chance& chance, std::uint32_t number, const std::array<int, kChannels>& channels,
                  std::vector<unsigned char>& body) {
  const std::uint32_t id = chance.below(12);
  const auto port = static_cast<std::uint16_t>(7000 + chance.below(4));
  switch (number) {
    case RDMA_USER_CM_CMD_CREATE_ID: {
      rdma_ucm_create_id command{};
      command.uid = 1 + chance.below(100);
      constexpr std::uint16_t kSpaces[] = {RDMA_PS_TCP, RDMA_PS_UDP, RDMA_PS_IB, RDMA_PS_IPOIB};
      command.ps = kSpaces[chance.below(4)];
      command.qp_type = 2;
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_BIND_IP: {
      rdma_ucm_bind_ip command{};
      const sockaddr_in address = loopback(port);
      std::memcpy(&command.addr, &address, sizeof(address));
      command.id = id;
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_RESOLVE_IP: {
      rdma_ucm_resolve_ip command{};
      const sockaddr_in address = loopback(port);
      std::memcpy(&command.dst_addr, &address, sizeof(address));
      command.id = id;
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_CONNECT: {
      rdma_ucm_connect command{};
      command.id = id;
      command.conn_param.valid = 1;
      command.conn_param.qp_num = chance.below(0x1000);
      command.conn_param.private_data_len = static_cast<std::uint8_t>(chance.below(70));
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_ACCEPT: {
      rdma_ucm_accept command{};
      command.id = id;
      command.uid = 7;
      command.conn_param.valid = static_cast<std::uint8_t>(chance.below(2));
      command.conn_param.qp_num = 0x1000 + chance.below(0x1000);
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_REJECT: {
      rdma_ucm_reject command{};
      command.id = id;
      command.private_data_len = static_cast<std::uint8_t>(chance.below(256));
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_QUERY:
    case RDMA_USER_CM_CMD_QUERY_ROUTE:
    case RDMA_USER_CM_CMD_INIT_QP_ATTR: {
      rdma_ucm_query command{};
      command.id = id;
      command.option = chance.below(5);
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_MIGRATE_ID: {
      rdma_ucm_migrate_id command{};
      command.id = id;
      command.fd = static_cast<std::uint32_t>(channels[chance.below(kChannels)]);
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_JOIN_IP_MCAST: {
      rdma_ucm_join_ip_mcast command{};
      sockaddr_in address = loopback(0);
      address.sin_addr.s_addr = htonl(0xe0001100u + chance.below(3));
      std::memcpy(&command.addr, &address, sizeof(address));
      command.id = id;
      command.uid = 9;
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_DESTROY_ID:
    case RDMA_USER_CM_CMD_LEAVE_MCAST: {
      rdma_ucm_destroy_id command{};
      command.id = id;
      return put(body, command);
    }
    case RDMA_USER_CM_CMD_GET_EVENT:
      return put(body, rdma_ucm_get_event{});
    default:  // two words: the id and a number
      return put(body, rdma_ucm_listen{id, chance.below(5)});
  }
}

void step(Chance& chance, const std::array<int, kChannels>& channels) {
  const std::uint32_t number = chance.below(RDMA_USER_CM_CMD_JOIN_MCAST + 2);
  std::vector<unsigned char> body(kBytesMax);
  std::size_t size = chance.below(kBytesMax);
  if (chance.below(4) != 0) {
    size = sound(chance, number, channels, body);
  } else {
    for (std::size_t i = 0; i < size; ++i)
      body[i] = static_cast<unsigned char>(chance.below(3) == 0 ? chance.next() : 0);
  }
  // Pointers are the one thing that a program must get right: none, or where there is room.
  const std::size_t out = chance.below(4) == 0 ? chance.below(kReplyMax) : kReplyMax;
  std::vector<unsigned char> reply(out), option(kOptionMax);
  const auto address = chance.below(50) == 0 ? 0 : reinterpret_cast<std::uintptr_t>(reply.data());
  const std::size_t at = number == RDMA_USER_CM_CMD_CREATE_ID ? offsetof(rdma_ucm_create_id, response) : 0;
  const bool has_reply = number != RDMA_USER_CM_CMD_SET_OPTION;
  if (has_reply && number != RDMA_USER_CM_CMD_LISTEN && number != RDMA_USER_CM_CMD_RESOLVE_ROUTE &&
      number != RDMA_USER_CM_CMD_DISCONNECT && number != RDMA_USER_CM_CMD_NOTIFY &&
      number != RDMA_USER_CM_CMD_RESOLVE_IP && number != RDMA_USER_CM_CMD_RESOLVE_ADDR &&
      number != RDMA_USER_CM_CMD_CONNECT && number != RDMA_USER_CM_CMD_ACCEPT && number != RDMA_USER_CM_CMD_REJECT &&
      number != RDMA_USER_CM_CMD_BIND) {
    std::memcpy(body.data() + at, &address, sizeof(address));
  }
  if (number == RDMA_USER_CM_CMD_SET_OPTION) {
    rdma_ucm_set_option command{};
    command.optval = reinterpret_cast<std::uintptr_t>(option.data());
    command.id = chance.below(12);
    command.level = chance.below(3);
    command.optname = chance.below(5);
    constexpr std::uint32_t kLengths[] = {0, 1, 4, 72, kOptionMax};
    command.optlen = kLengths[chance.below(5)];
    size = put(body, command);
  }
  const rdma_ucm_cmd_hdr header{number, static_cast<std::uint16_t>(size), static_cast<std::uint16_t>(out)};
  std::vector<unsigned char> bytes(sizeof(header) + size);  // exactly as long as it says
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), body.data(), size);
  const ssize_t result = rocelab_rdma_cm.write(channels[chance.below(kChannels)], bytes.data(), bytes.size());
  REQUIRE((result == static_cast<ssize_t>(bytes.size()) || (result < 0 && result > -200)));
}

}  // namespace

TEST_CASE("rdma_cm: whatever is written to the device, it answers, and stays in order", "[verbs][rdma_cm][soak]") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    INFO("seed " << seed);
    Chance chance(seed);
    std::array<int, kChannels> channels{};
    for (int& fd : channels) {
      fd = rocelab_rdma_cm.open(O_CLOEXEC | O_NONBLOCK);
      REQUIRE(fd >= 0);
    }
    for (std::uint32_t i = 0; i < kSteps; ++i) step(chance, channels);
    for (const int fd : channels) {
      rocelab_rdma_cm.closing(fd);
      close(fd);
    }
  }
  // Every id and port has gone with its channel.
  const int fd = rocelab_rdma_cm.open(O_CLOEXEC | O_NONBLOCK);
  rdma_ucm_create_id_resp created{};
  struct {
    rdma_ucm_cmd_hdr header{RDMA_USER_CM_CMD_CREATE_ID, sizeof(rdma_ucm_create_id), sizeof(rdma_ucm_create_id_resp)};
    rdma_ucm_create_id body{};
  } create;
  create.body.response = reinterpret_cast<std::uintptr_t>(&created);
  create.body.ps = RDMA_PS_TCP;
  REQUIRE(rocelab_rdma_cm.write(fd, &create, sizeof(create)) == sizeof(create));
  CHECK(created.id == 0);
  for (std::uint16_t port = 7000; port < 7004; ++port) {
    create.body.ps = RDMA_PS_TCP;
    REQUIRE(rocelab_rdma_cm.write(fd, &create, sizeof(create)) == sizeof(create));
    struct {
      rdma_ucm_cmd_hdr header{RDMA_USER_CM_CMD_BIND_IP, sizeof(rdma_ucm_bind_ip), 0};
      rdma_ucm_bind_ip body{};
    } bind;
    const sockaddr_in address = loopback(port);
    std::memcpy(&bind.body.addr, &address, sizeof(address));
    bind.body.id = created.id;
    CHECK(rocelab_rdma_cm.write(fd, &bind, sizeof(bind)) == sizeof(bind));
  }
  rocelab_rdma_cm.closing(fd);
  close(fd);
}
