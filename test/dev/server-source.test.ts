import { describe, expect, test } from 'vitest'

import {
  chooseServerSource,
  parseJavaVersion,
  type MachineParts,
} from '../../src/dev/server-source.ts'

const bare: MachineParts = {
  containerEngine: false,
  javaVersion: undefined,
  maven: false,
  jarsCached: false,
}
const java = { ...bare, javaVersion: 17 }

describe('where the servers come from', () => {
  test.each([
    {
      rule: 'an engine that answers wins over Java',
      parts: { ...java, maven: true, containerEngine: true },
      source: 'container',
    },
    {
      rule: 'an engine needs neither Java nor Maven',
      parts: { ...bare, containerEngine: true },
      source: 'container',
    },
    {
      rule: 'Java and Maven do without an engine',
      parts: { ...java, maven: true },
      source: 'maven',
    },
    {
      rule: 'Maven is not needed again once the jars are there',
      parts: { ...java, jarsCached: true },
      source: 'maven',
    },
  ])('$rule', ({ parts, source }) => {
    expect(chooseServerSource(parts)).toEqual({ source })
  })

  test('Maven can be asked for although an engine answers', () => {
    const parts = { ...java, maven: true, containerEngine: true }

    expect(chooseServerSource(parts, 'maven')).toEqual({ source: 'maven' })
  })

  test('containers that were asked for are not replaced in silence', () => {
    const choice = chooseServerSource({ ...java, maven: true }, 'container')

    expect(choice.missing).toContain('no local container engine answers')
  })
})

describe('what is missing is said in one line', () => {
  test.each([
    {
      rule: 'no Java',
      parts: { ...bare, maven: true },
      says: 'needs Java 17 or newer (java is not on the path):',
    },
    {
      rule: 'an old Java',
      parts: { ...bare, maven: true, javaVersion: 11 },
      says: 'needs Java 17 or newer (java on the path is 11):',
    },
    { rule: 'no Maven', parts: java, says: 'needs Maven (mvn is not on the path):' },
    {
      rule: 'neither',
      parts: bare,
      says: '(java is not on the path) and Maven (mvn is not on the path):',
    },
  ])('$rule', ({ parts, says }) => {
    const { missing } = chooseServerSource(parts)

    expect(missing).toContain(says)
    expect(missing).toContain('apt-get install openjdk-17-jre-headless maven')
    expect(missing).not.toContain('\n')
  })
})

test.each([
  { output: 'openjdk version "17.0.15" 2025-04-15', version: 17 },
  { output: 'java version "1.8.0_392"', version: 8 },
  { output: 'openjdk version "21" 2023-09-19', version: 21 },
  { output: 'command not found', version: undefined },
])('reads Java $version from $output', ({ output, version }) => {
  expect(parseJavaVersion(output)).toBe(version)
})
