// Takes arbitrary bytes as a script of verbs calls and packets for two engines (tests/rxe/script): calls with good and
// bad arguments, packets lost, repeated, changed and invented. Every promise that the script watches must hold. With
// ROCELAB_CANARY the script's link has a bug, which the fuzzer must find (smoke.py asks).
#include <string>

#include "tests/fuzz/fuzz.h"
#include "tests/rxe/script/script.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rocelab::test::script::Script script({data, size});
  const std::string complaint = script.run();
  rocelab::fuzz::demand(complaint.empty(), complaint.c_str());
  return 0;
}
