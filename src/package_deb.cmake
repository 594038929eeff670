# Run by cpack between installing into a folder and packing that: documents as Debian's policy has them.
set(root ${CPACK_TEMPORARY_DIRECTORY}/usr)
set(doc ${root}/share/doc/${CPACK_PACKAGE_NAME})
set(release ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})

# copyright, from LICENSE: a paragraph of the machine-readable form, empty lines as " ."
file(READ ${doc}/LICENSE license)
string(REGEX REPLACE "^MIT License\n\nCopyright \\(c\\) ([^\n]*)\n\n" "" license "${license}")
set(holder "${CMAKE_MATCH_1}")
string(REGEX REPLACE "\n+$" "" license "${license}")
string(REPLACE "\n\n" "\n.\n" license "${license}")
string(REPLACE "\n" "\n " license "${license}")
file(WRITE ${doc}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
     "Upstream-Name: slbsr\n\nFiles: *\nCopyright: ${holder}\nLicense: Expat\n ${license}\n")
file(REMOVE ${doc}/LICENSE)

# Changes: ours, and the package's own.
execute_process(COMMAND date -u -R -d ${CPACK_SLBSR_DATE} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE
                COMMAND_ERROR_IS_FATAL ANY)
file(WRITE ${doc}/changelog.Debian "slbsr (${release}) unstable; urgency=medium\n\n"
     "  * Version ${CPACK_PACKAGE_VERSION}; changelog.gz says what is in it.\n\n"
     " -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${date}\n")
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)

file(GLOB pages ${root}/share/man/man1/*.1)
execute_process(COMMAND gzip -9n ${pages} ${doc}/changelog ${doc}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)

if(EXISTS ${root}/share/zsh/site-functions)
  file(RENAME ${root}/share/zsh/site-functions ${root}/share/zsh/vendor-completions)
endif()

execute_process(COMMAND strip --remove-section=.comment --remove-section=.note ${root}/bin/slbsr
                COMMAND_ERROR_IS_FATAL ANY)

set(overrides "# Not made for the archive, so there is no bug to close.\nslbsr: initial-upload-closes-no-bugs *\n")
if(CPACK_DEBIAN_PACKAGE_MAINTAINER MATCHES "@localhost>")
  string(APPEND overrides "# Made without DEBFULLNAME and DEBEMAIL: for the machine it is made on.\n"
         "slbsr: bogus-mail-host *\nslbsr: bogus-mail-host-in-debian-changelog *\n")
endif()
file(WRITE ${root}/share/lintian/overrides/slbsr "${overrides}")
