// What toml++ must not be given.
#include "base/toml_text.h"

#include "tests/support/catch.h"

namespace rocelab::base {
namespace {

TEST_CASE("toml text: characters beyond ASCII are for strings and comments", "[base]") {
  for (const char* good : {"", "a = 1\n", "a = \"\xc3\xa9\" # \xc3\xa9\n", "a = '\xc3\xa9\\'\n",
                           "\xef\xbb\xbf"
                           "a = 1\n",
                           "a = \"\"\"\n\xc3\xa9 \" \"\" \xc3\xa9\"\"\"\n", "a = '''\n\xc3\xa9 ' \\ '''\n",
                           "a = \"\\\"\xc3\xa9\"\n", "a = \"\\", "a = \"", "a = '''", "\"\xc3\xa9\" = 1\n"}) {
    INFO(good);
    CHECK(!line_beyond_toml(good));
  }
  CHECK(line_beyond_toml("\xc3\xa9 = 1\n") == 1u);
  CHECK(line_beyond_toml("a = 1\n\n\xef\xb1\xbfw") == 3u);
  CHECK(line_beyond_toml("a = \"x\" \xc3\xa9\n") == 1u);
  CHECK(line_beyond_toml("a = \"\"\"\nx\"\"\" \xc3\xa9\n") == 2u);
  CHECK(line_beyond_toml("a = \"\"\"x\\\n  \xc3\xa9\"\"\"\n") == 2u);
  CHECK(line_beyond_toml("a = \"\\\xc3\xa9\"\n") == 1u);
  CHECK(line_beyond_toml("a = \"open\n\xc3\xa9") == 2u);
  CHECK(line_beyond_toml("a = 1\n\xef\xbb\xbf") == 2u);
}

}  // namespace
}  // namespace rocelab::base
