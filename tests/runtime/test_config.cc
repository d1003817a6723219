// Every key and variable of runtime/config.h, every way to get one wrong, and the page docs/configuration.md.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/config.h"
#include "tests/support/catch.h"

using namespace rocelab;
using namespace rocelab::runtime;

namespace {

/// A file that lives as long as the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text) {
    char name[] = "/tmp/rocelab-config-XXXXXX";
    const int fd = mkstemp(name);
    REQUIRE(fd >= 0);
    close(fd);
    path_ = name;
    std::ofstream(path_) << text;
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string toml_error(const std::string& text) {
  Config config;
  const auto applied = apply_toml(text, "lab.toml", config);
  return applied ? "" : applied.error();
}

std::string variable_error(const std::string& name, const std::string& value) {
  const auto config = load_config(Environment{{name, value}});
  return config ? "" : config.error();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("config: without file and variables everything has its default", "[runtime][config]") {
  const auto config = load_config(Environment{});
  REQUIRE(config.has_value());
  CHECK(config->run_dir == fmt::format("/tmp/rocelab-{}", geteuid()));
  CHECK(config->devices == 1);
  CHECK_FALSE(config->mtu.has_value());
  CHECK(config->port == PortKind::kHost);
  CHECK(config->interface.empty());
  CHECK(config->addresses.empty());
  CHECK(config->pcap.empty());
  CHECK_FALSE(config->faults.has_value());
  CHECK(config->log == LogLevel::kWarn);
  CHECK(config->progress == ProgressMode::kAuto);
  CHECK(config->ring_slots == 256);
  CHECK(config->congestion_control == rxe::CongestionControl::kNone);
}

TEST_CASE("config: the run directory lies in XDG_RUNTIME_DIR where that is a directory of ours", "[runtime][config]") {
  const std::string here = std::filesystem::temp_directory_path();
  CHECK(load_config(Environment{{"XDG_RUNTIME_DIR", here}})->run_dir == here + "/rocelab");
  CHECK(load_config(Environment{{"XDG_RUNTIME_DIR", "/nowhere/at/all"}})->run_dir ==
        fmt::format("/tmp/rocelab-{}", geteuid()));
  CHECK(load_config(Environment{{"XDG_RUNTIME_DIR", "relative"}})->run_dir ==
        fmt::format("/tmp/rocelab-{}", geteuid()));
  CHECK(load_config(Environment{{"XDG_RUNTIME_DIR", here}, {"ROCELAB_RUN_DIR", "/tmp/mine/"}})->run_dir == "/tmp/mine");
}

TEST_CASE("config: each variable sets its knob", "[runtime][config]") {
  const auto config = load_config(Environment{{"ROCELAB_RUN_DIR", "/tmp/lab"},
                                              {"ROCELAB_DEVICES", "2"},
                                              {"ROCELAB_MTU", "2048"},
                                              {"ROCELAB_PORT", "host"},
                                              {"ROCELAB_ADDRESSES", "10.1.0.1, fd00::1;10.1.0.2"},
                                              {"ROCELAB_PCAP", "/tmp/x-%p.pcapng"},
                                              {"ROCELAB_LOG", "debug"},
                                              {"ROCELAB_PROGRESS", "thread"},
                                              {"ROCELAB_RING_SLOTS", "64"},
                                              {"ROCELAB_VENDOR_PART_ID", "4119"},
                                              {"ROCELAB_CONGESTION_CONTROL", "dcqcn"},
                                              {"PATH", "/bin"}});
  REQUIRE(config.has_value());
  CHECK(config->run_dir == "/tmp/lab");
  CHECK(config->devices == 2);
  CHECK(config->mtu == rxe::PathMtu::k2048);
  REQUIRE(config->addresses.size() == 2);
  CHECK(config->addresses[0] == std::vector{*wire::parse_gid("10.1.0.1"), *wire::parse_gid("fd00::1")});
  CHECK(config->addresses[1] == std::vector{*wire::parse_gid("10.1.0.2")});
  CHECK(config->pcap == "/tmp/x-%p.pcapng");
  CHECK(config->log == LogLevel::kDebug);
  CHECK(config->progress == ProgressMode::kThread);
  CHECK(config->ring_slots == 64);
  CHECK(config->vendor_part_id == 4119);
  CHECK(config->congestion_control == rxe::CongestionControl::kDcqcn);
}

TEST_CASE("config: an interface and faults by variable", "[runtime][config]") {
  const auto uplink = load_config(Environment{{"ROCELAB_PORT", "af_packet"}, {"ROCELAB_INTERFACE", "eth0"}});
  REQUIRE(uplink.has_value());
  CHECK(uplink->port == PortKind::kAfPacket);
  CHECK(uplink->interface == "eth0");
  const auto faulty = load_config(Environment{{"ROCELAB_FAULTS", "seed=7,loss=1000"}});
  REQUIRE(faulty.has_value());
  CHECK(faulty->faults->loss_ppm == 1000);
}

TEST_CASE("config: limits are a list of names and numbers, each once", "[runtime][config]") {
  const auto good = load_config(Environment{{"ROCELAB_LIMITS", "qp=0,memory=3M,objects=7"}});
  REQUIRE(good.has_value());
  CHECK(good->limits.of[static_cast<std::size_t>(rxe::Resource::kQp)] == 0);
  CHECK(good->limits.of[static_cast<std::size_t>(rxe::Resource::kRegisteredBytes)] == 3u << 20);
  CHECK(good->limits.of[static_cast<std::size_t>(rxe::Resource::kCq)] == Limits::kNone);
  CHECK(good->limits.objects == 7);
  for (const char* text : {"qp", "qp=", "qp=-1", "qp=1K", "qp=1,qp=2", "qps=1", "qp=1,", ",qp=1", "memory=M",
                           "memory=1T", "memory=99999999999999999999", "memory=99999999999999999G", "qp=1 cq=2"}) {
    CAPTURE(text);
    CHECK_FALSE(load_config(Environment{{"ROCELAB_LIMITS", text}}).has_value());
  }
}

TEST_CASE("config: an empty variable counts as not set", "[runtime][config]") {
  for (const KnobDescription& knob : knobs()) {
    CHECK(load_config(Environment{{std::string(knob.variable), ""}}).has_value());
  }
  CHECK(load_config(Environment{{"ROCELAB_CONFIG", ""}}).has_value());
}

TEST_CASE("config: each key of the file sets its knob", "[runtime][config]") {
  Config config;
  const auto applied = apply_toml(R"(run_dir = "/tmp/lab"
devices = 3
mtu = 256
port = "af_packet"
interface = "veth1"
addresses = [["10.0.0.1", "fd00::2"], [], ["10.0.0.3"]]
pcap = "trace.pcapng"
faults = "seed=1,corrupt=5"
log = "off"
progress = "poll"
ring_slots = 16384
congestion_control = "dcqcn"
)",
                                  "lab.toml", config);
  REQUIRE(applied.has_value());
  CHECK(config.run_dir == "/tmp/lab");
  CHECK(config.devices == 3);
  CHECK(config.mtu == rxe::PathMtu::k256);
  CHECK(config.port == PortKind::kAfPacket);
  CHECK(config.interface == "veth1");
  REQUIRE(config.addresses.size() == 3);
  CHECK(config.addresses[0].size() == 2);
  CHECK(config.addresses[1].empty());
  CHECK(config.addresses[2] == std::vector{*wire::parse_gid("10.0.0.3")});
  CHECK(config.pcap == "trace.pcapng");
  CHECK(config.faults->corrupt_ppm == 5);
  CHECK(config.log == LogLevel::kOff);
  CHECK(config.progress == ProgressMode::kPoll);
  CHECK(config.ring_slots == 16384);
  CHECK(config.congestion_control == rxe::CongestionControl::kDcqcn);
}

TEST_CASE("config: a plain list of addresses is that of the first device", "[runtime][config]") {
  Config config;
  REQUIRE(apply_toml("addresses = [\"10.0.0.1\", \"10.0.0.2\"]", "lab.toml", config).has_value());
  REQUIRE(config.addresses.size() == 1);
  CHECK(config.addresses[0].size() == 2);
}

TEST_CASE("config: variables override the file", "[runtime][config]") {
  const TemporaryFile file("devices = 4\nmtu = 512\n");
  const auto config = load_config(Environment{{"ROCELAB_MTU", "1024"}, {"ROCELAB_CONFIG", file.path()}});
  REQUIRE(config.has_value());
  CHECK(config->devices == 4);
  CHECK(config->mtu == rxe::PathMtu::k1024);
}

TEST_CASE("config: a mistake in the file names file, line, key, value and what was expected", "[runtime][config]") {
  struct Mistake {
    const char* line;
    const char* message;
  };
  const Mistake mistakes[] = {
      {"run_dir = \"lab\"", "key `run_dir`: \"lab\": expected an absolute path"},
      {"devices = 0", "key `devices`: 0: expected a whole number from 1 to 8"},
      {"devices = 9", "key `devices`: 9: expected"},
      {"devices = -1", "key `devices`: -1: expected"},
      {"devices = 1.5", "key `devices`: 1.5: expected"},
      {"devices = \"2\"", "key `devices`: \"2\": expected"},
      {"mtu = 300", "key `mtu`: 300: expected one of 256, 512, 1024, 2048, 4096"},
      {"mtu = 99999999999", "key `mtu`: 99999999999: expected"},
      {"mtu = true", "key `mtu`: true: expected"},
      {"port = \"memif\"", "key `port`: \"memif\": expected one of host, af_packet"},
      {"port = 1", "key `port`: 1: expected"},
      {"interface = \"\"", "key `interface`: \"\": expected the name of a network interface"},
      {"interface = \"a-name-of-16-chr\"", "expected the name of a network interface, 1 to 15 characters"},
      {"interface = \"a b\"", "expected the name of a network interface"},
      {"addresses = \"10.0.0.1\"", "not a list of strings"},
      {"addresses = [1]", "not a list of strings"},
      {"addresses = [[\"10.0.0.1\"], \"10.0.0.2\"]", "not a list of strings"},
      {"addresses = [\"10.0.0\"]", "`10.0.0` is not an address"},
      {"addresses = [\"224.0.0.1\"]", "`224.0.0.1` is a multicast address"},
      {"addresses = [\"ff02::1\"]", "`ff02::1` is a multicast address"},
      {"addresses = [\"0.0.0.0\"]", "`0.0.0.0` names no host"},
      {"addresses = [\"::\"]", "`::` names no host"},
      {"addresses = [\"10.0.0.1\", \"10.0.0.1\"]", "`10.0.0.1` is there twice"},
      {"addresses = [[], [], [], [], [], [], [], [], []]", "9 devices, at most 8"},
      {"addresses = [\"::1\",\"::2\",\"::3\",\"::4\",\"::5\",\"::6\",\"::7\",\"::8\",\"::9\"]",
       "9 addresses, at most 8"},
      {"pcap = \"\"", "key `pcap`: \"\": expected the name of a file"},
      {"faults = \"loss=maybe\"", "key `faults`: \"loss=maybe\": "},
      {"log = \"loud\"", "key `log`: \"loud\": expected one of off, error, warn, info, debug"},
      {"progress = \"never\"", "key `progress`: \"never\": expected one of auto, thread, poll"},
      {"ring_slots = 32", "key `ring_slots`: 32: expected a power of two from 64 to 16384"},
      {"ring_slots = 1000", "key `ring_slots`: 1000: expected"},
      {"ring_slots = 32768", "key `ring_slots`: 32768: expected"},
      {"congestion_control = \"timely\"", "key `congestion_control`: \"timely\": expected one of none, dcqcn"},
      {"colour = \"red\"", "unknown key `colour`: expected one of run_dir, devices, mtu"},
      {"[table]\nkey = 1", "unknown key `table`"},
  };
  for (const Mistake& mistake : mistakes) {
    const std::string error = toml_error(std::string("# comment\n") + mistake.line + "\n");
    INFO(mistake.line << " -> " << error);
    CHECK(error.starts_with("lab.toml:2: "));
    CHECK(contains(error, mistake.message));
  }
}

TEST_CASE("config: what is no TOML is reported with its line", "[runtime][config]") {
  CHECK(toml_error("devices = 1\nmtu = = 2\n").starts_with("lab.toml:2: "));
  CHECK(toml_error("devices = 1\ndevices = 2\n").starts_with("lab.toml:2: "));
}

TEST_CASE("config: a mistake in a variable names it, its value and what was expected", "[runtime][config]") {
  struct Mistake {
    const char* name;
    const char* value;
  };
  const Mistake mistakes[] = {{"ROCELAB_RUN_DIR", "lab"},
                              {"ROCELAB_DEVICES", "two"},
                              {"ROCELAB_DEVICES", "9"},
                              {"ROCELAB_DEVICES", "1 "},
                              {"ROCELAB_DEVICES", "+1"},
                              {"ROCELAB_DEVICES", "4294967297"},
                              {"ROCELAB_MTU", "1500"},
                              {"ROCELAB_PORT", "pigeon"},
                              {"ROCELAB_INTERFACE", "eth/0"},
                              {"ROCELAB_ADDRESSES", "nowhere"},
                              {"ROCELAB_ADDRESSES", "10.0.0.1,,"},
                              {"ROCELAB_FAULTS", "loss"},
                              {"ROCELAB_LOG", "WARN"},
                              {"ROCELAB_PROGRESS", "both"},
                              {"ROCELAB_RING_SLOTS", "0"},
                              {"ROCELAB_RING_SLOTS", "0x40"},
                              {"ROCELAB_CONGESTION_CONTROL", "yes"}};
  for (const Mistake& mistake : mistakes) {
    const std::string error = variable_error(mistake.name, mistake.value);
    INFO(error);
    CHECK(error.starts_with(fmt::format("variable {}: \"{}\": ", mistake.name, mistake.value)));
    CHECK(contains(error, "expected "));
  }
}

TEST_CASE("config: an unknown variable of our prefix is a mistake that lists the known ones", "[runtime][config]") {
  const std::string error = variable_error("ROCELAB_MTUS", "1024");
  CHECK(contains(error, "unknown variable ROCELAB_MTUS"));
  CHECK(contains(error, "ROCELAB_MTU,"));
  CHECK(contains(error, "ROCELAB_CONFIG"));
}

TEST_CASE("config: a file that cannot be read is a mistake", "[runtime][config]") {
  CHECK(contains(variable_error("ROCELAB_CONFIG", "/nowhere/lab.toml"), "/nowhere/lab.toml: cannot read it"));
  CHECK(contains(variable_error("ROCELAB_CONFIG", "/"), "cannot read it"));
  const TemporaryFile file("mtu = 7\n");
  CHECK(variable_error("ROCELAB_CONFIG", file.path()).starts_with(file.path() + ":1: key `mtu`: 7"));
}

TEST_CASE("config: knobs that do not fit together are a mistake", "[runtime][config]") {
  const auto error = [](const Environment& environment) {
    const auto config = load_config(environment);
    return config ? std::string() : config.error();
  };
  CHECK(contains(error({{"ROCELAB_PORT", "af_packet"}}), "needs `interface`"));
  CHECK(contains(error({{"ROCELAB_INTERFACE", "eth0"}}), "used by ports off the host only"));
  CHECK(contains(error({{"ROCELAB_PORT", "udp"}}), "needs `interface`"));
  CHECK(contains(error({{"ROCELAB_PORT", "tap"}, {"ROCELAB_INTERFACE", "tap0"}}), "`addresses` of the device"));
  CHECK(error({{"ROCELAB_PORT", "udp"}, {"ROCELAB_INTERFACE", "eth0"}}).empty());
  CHECK(error({{"ROCELAB_PORT", "udp"}, {"ROCELAB_ADDRESSES", "10.0.0.1"}}).empty());
  CHECK(contains(error({{"ROCELAB_PORT", "af_packet"}, {"ROCELAB_INTERFACE", "eth0"}, {"ROCELAB_DEVICES", "2"}}),
                 "expected 1"));
  CHECK(contains(error({{"ROCELAB_ADDRESSES", "10.0.0.1;10.0.0.2"}}), "`devices` is 1"));
}

TEST_CASE("config: docs/configuration.md tells every key, variable and range", "[runtime][config]") {
  std::ifstream file(ROCELAB_SOURCE_ROOT "/docs/configuration.md");
  REQUIRE(file.good());
  std::stringstream page;
  page << file.rdbuf();
  for (const KnobDescription& knob : knobs()) {
    INFO(knob.key);
    CHECK(contains(page.str(), fmt::format("`{}`", knob.key)));
    CHECK(contains(page.str(), fmt::format("`{}`", knob.variable)));
  }
  CHECK(contains(page.str(), "`ROCELAB_CONFIG`"));
}
