// A golden scenario of tests/golden as data: what its JSON file says and the packets of its capture, decoded. Used by
// the replay tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rxe/types.h"
#include "tests/rxe/harness/owned_packet.h"

namespace rocelab::test::replay {

struct Party {
  rxe::Qpn qpn = 0;
  std::uint32_t start_psn = 0;
  std::uint32_t rkey = 0;
  std::uint64_t buffer = 0;  ///< address of its buffer of 64 KiB
  wire::Gid gid;
};

struct RecordedCompletion {
  bool at_a = false;
  bool is_receive = false;
  std::uint64_t wr_id = 0;
  int status = 0;
  std::uint32_t byte_len = 0;
  bool has_immediate = false;
  std::uint32_t immediate = 0;
};

struct Step {
  bool from_a = false;
  OwnedPacket packet;
};

struct Recording {
  std::string name;
  rxe::QpType type = rxe::QpType::kRc;
  rxe::PathMtu mtu = rxe::PathMtu::k1024;
  std::uint32_t qkey = 0;
  std::uint32_t window_rkey = 0;  ///< rc_send_inv: of the memory window that B has bound
  Party a, b;
  std::vector<std::string> grh_areas;           ///< ud_send: the first 40 bytes of each receive, in hexadecimal
  std::vector<RecordedCompletion> completions;  ///< in the order in which the applications saw them
  std::vector<Step> steps;

  std::vector<RecordedCompletion> of(bool at_a, bool receives) const;
};

/// Reads tests/golden/NAME.json and .pcap; a file that cannot be read ends the program with a message.
Recording load(const std::string& name);

/// The scenarios of RC, UC and UD (the cm_ and tool_ ones have no description to replay by).
std::vector<std::string> scenarios();

}  // namespace rocelab::test::replay
