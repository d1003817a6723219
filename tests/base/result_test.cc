// base::Result and base::TextResult.
#include "base/result.h"

#include <cerrno>
#include <string>
#include <type_traits>

#include "tests/support/catch.h"

namespace rocelab::base {

TEST_CASE("result: a failure carries errno and a sentence, a success its value", "[base][result]") {
  const auto half = [](int n) -> Result<int> {
    if (n % 2 != 0) return fail(EINVAL, "odd");
    return n / 2;
  };
  CHECK(half(4).value() == 2);
  REQUIRE_FALSE(half(3).has_value());
  CHECK(half(3).error().code == EINVAL);
  CHECK(std::string(half(3).error().what) == "odd");
}

TEST_CASE("result: an error can be returned from the data path: it owns nothing", "[base][result]") {
  CHECK(std::is_trivially_copyable_v<Error>);
}

TEST_CASE("result: a text result carries a composed message", "[base][result]") {
  const TextResult<int> result = fail_text("key `mtu`: " + std::to_string(300));
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error() == "key `mtu`: 300");
}

}  // namespace rocelab::base
