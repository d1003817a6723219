"""Writes a .cc that holds the text of the given files: embed.py OUTPUT FILE... (called by the build)."""
import pathlib
import sys

output, files = pathlib.Path(sys.argv[1]), [pathlib.Path(f) for f in sys.argv[2:]]
rows = ",\n".join(f'    {{"{f.stem}", R"cdf({f.read_text(encoding="utf-8")})cdf"}}' for f in files)
output.write_text(f"""// Made by embed.py from sizes/data.
#include "sim/workload/sizes/built_in.h"

namespace rocelab::sim {{

std::span<const BuiltInDistribution> built_in_distribution_files() {{
  static constexpr BuiltInDistribution kFiles[] = {{
{rows}}};
  return kFiles;
}}

}}  // namespace rocelab::sim
""", encoding="utf-8")
