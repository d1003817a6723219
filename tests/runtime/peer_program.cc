// Where the build has put the program that PeerProcess starts: the only file that is compiled with its path.
#include "tests/runtime/peer_process.h"

namespace rocelab::tests {

const char* peer_program() { return ROCELAB_PEER; }

}  // namespace rocelab::tests
