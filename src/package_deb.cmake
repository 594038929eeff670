# Run by cpack between installing into folders, one a component, and packing these: documents as Debian's policy has
# them, and other things that lintian asks for.
set(release ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
set(program ${CPACK_TEMPORARY_DIRECTORY}/Unspecified/usr)
set(shared ${CPACK_TEMPORARY_DIRECTORY}/library/usr)
set(development ${CPACK_TEMPORARY_DIRECTORY}/development/usr)

# copyright, from LICENSE: a paragraph of the machine-readable form, empty lines as " ."
file(READ ${CPACK_SLBSR_DOCS}/LICENSE license)
string(REGEX REPLACE "^MIT License\n\nCopyright \\(c\\) ([^\n]*)\n\n" "" license "${license}")
set(holder "${CMAKE_MATCH_1}")
string(REGEX REPLACE "\n+$" "" license "${license}")
string(REPLACE "\n\n" "\n.\n" license "${license}")
string(REPLACE "\n" "\n " license "${license}")
execute_process(COMMAND date -u -R -d ${CPACK_SLBSR_DATE} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)

# copyright, changes (ours, and the package's own), and what lintian need not say of `package`.
function(add_documents root package)
  set(doc ${root}/share/doc/${package})
  file(WRITE ${doc}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
       "Upstream-Name: slbsr\n\nFiles: *\nCopyright: ${holder}\nLicense: Expat\n ${license}\n")
  file(READ ${CPACK_SLBSR_DOCS}/CHANGELOG.md changes)
  file(WRITE ${doc}/changelog "${changes}")
  file(WRITE ${doc}/changelog.Debian "slbsr (${release}) unstable; urgency=medium\n\n"
       "  * Version ${CPACK_PACKAGE_VERSION}; changelog.gz says what is in it.\n\n"
       " -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n")
  execute_process(COMMAND gzip -9n ${doc}/changelog ${doc}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)
  set(overrides "# Not made for the archive, so there is no bug to close.\n${package}: initial-upload-closes-no-bugs *\n")
  if(CPACK_DEBIAN_PACKAGE_MAINTAINER MATCHES "@localhost>")
    string(APPEND overrides "# Made without DEBFULLNAME and DEBEMAIL: for the machine it is made on.\n"
           "${package}: bogus-mail-host *\n${package}: bogus-mail-host-in-debian-changelog *\n")
  endif()
  if(EXISTS ${root}/lib/pkgconfig)
    string(APPEND overrides "# Libraries of one architecture at a time; with CMAKE_INSTALL_PREFIX=/usr those of several.\n"
           "${package}: pkg-config-unavailable-for-cross-compilation *\n")
  endif()
  file(WRITE ${root}/share/lintian/overrides/${package} "${overrides}")
endfunction()

file(REMOVE ${program}/share/doc/slbsr/LICENSE ${program}/share/doc/slbsr/CHANGELOG.md)
add_documents(${program} slbsr)
add_documents(${shared} libslbsr${CPACK_SLBSR_SOVERSION})
add_documents(${development} libslbsr-dev)

file(GLOB pages ${program}/share/man/man1/*.1)
execute_process(COMMAND gzip -9n ${pages} COMMAND_ERROR_IS_FATAL ANY)
if(EXISTS ${program}/share/zsh/site-functions)
  file(RENAME ${program}/share/zsh/site-functions ${program}/share/zsh/vendor-completions)
endif()

file(GLOB_RECURSE library ${shared}/lib/*.so.*)
foreach(file ${program}/bin/slbsr ${library})
  if(NOT IS_SYMLINK ${file})
    execute_process(COMMAND ${CPACK_SLBSR_STRIP} --remove-section=.comment --remove-section=.note ${file} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
file(GLOB_RECURSE archive ${development}/lib/*.a)
execute_process(COMMAND ${CPACK_SLBSR_STRIP} --strip-debug --remove-section=.comment --enable-deterministic-archives ${archive}
                COMMAND_ERROR_IS_FATAL ANY)

# Whatever umask this was made under.
execute_process(COMMAND chmod -R u=rwX,go=rX ${CPACK_TEMPORARY_DIRECTORY} COMMAND_ERROR_IS_FATAL ANY)
