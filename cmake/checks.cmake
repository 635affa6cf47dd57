# Checks of the house that run with every build: who includes whom, and that headers stand alone.
file(GLOB_RECURSE se_checked CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/gateway/*.[ch] ${PROJECT_SOURCE_DIR}/ingest/*.[ch] ${PROJECT_SOURCE_DIR}/events/*.[ch]
  ${PROJECT_SOURCE_DIR}/api/*.[ch] ${PROJECT_SOURCE_DIR}/tests/*.[ch])
list(FILTER se_checked EXCLUDE REGEX "/node_modules/")

set(se_includes_stamp ${PROJECT_BINARY_DIR}/includes.checked)
add_custom_command(
  OUTPUT ${se_includes_stamp}
  COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -P ${PROJECT_SOURCE_DIR}/cmake/check_includes.cmake
  COMMAND ${CMAKE_COMMAND} -E touch ${se_includes_stamp}
  DEPENDS ${se_checked} ${PROJECT_SOURCE_DIR}/cmake/check_includes.cmake
  COMMENT "Checking include directions"
  VERBATIM)
add_custom_target(se_checks ALL DEPENDS ${se_includes_stamp})

get_property(se_header_checks GLOBAL PROPERTY SE_HEADER_CHECKS)
add_dependencies(se_checks ${se_header_checks})
