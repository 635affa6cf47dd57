# Writes the file INPUT as the C array openapi_yaml into OUTPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "/* Made from openapi.yaml by embed.cmake. */\n#include \"openapi.h\"\n\n"
  "const char openapi_yaml[] = {\n${bytes}0};\nconst size_t openapi_yaml_size = sizeof(openapi_yaml) - 1;\n")
