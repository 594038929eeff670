# What `cmake --install` puts where. Man pages and completions are written by the program itself, from its tables of
# commands and options; a program for another processor needs CMAKE_CROSSCOMPILING_EMULATOR for that.
include(GNUInstallDirs)
set(SLBSR_BASH_DIR ${CMAKE_INSTALL_DATADIR}/bash-completion/completions CACHE STRING "Where bash looks for completions")
set(SLBSR_ZSH_DIR ${CMAKE_INSTALL_DATADIR}/zsh/site-functions CACHE STRING "Where zsh looks for completions")
set(SLBSR_FISH_DIR ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d CACHE STRING "Where fish looks for completions")

install(TARGETS slbsr)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

include(src/package.cmake)

if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  message(STATUS "no emulator for this processor: man pages and completions are left out")
  return()
endif()
set(doc ${CMAKE_BINARY_DIR}/doc)
add_custom_command(OUTPUT ${doc}/made
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${doc}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${doc}
  COMMAND ${CMAKE_COMMAND} -E env --unset=SLBSR_CPU ${CMAKE_CROSSCOMPILING_EMULATOR} $<TARGET_FILE:slbsr> _doc all ${doc}
  COMMAND ${CMAKE_COMMAND} -E touch ${doc}/made
  DEPENDS slbsr VERBATIM COMMENT "Writing man pages and completions")
add_custom_target(doc ALL DEPENDS ${doc}/made)
install(DIRECTORY ${doc}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN "*.1")
install(FILES ${doc}/slbsr.bash DESTINATION ${SLBSR_BASH_DIR} RENAME slbsr)
install(FILES ${doc}/_slbsr DESTINATION ${SLBSR_ZSH_DIR})
install(FILES ${doc}/slbsr.fish DESTINATION ${SLBSR_FISH_DIR})
