import { StreamsError } from '../errors.ts'
import { settingNames, settings, type SettingName } from './settings.ts'

/** Settings that exclude each other, by the places where they were given. Throws CONFIGURATION_INVALID, naming both. */
export function checkTogether(places: ReadonlyMap<SettingName, string>): void {
  const relays = places.get('relays')
  const single = settingNames.find(
    name => settings[name].path.startsWith('smtp') && places.has(name),
  )
  if (relays === undefined || single === undefined) return
  throw new StreamsError(
    'CONFIGURATION_INVALID',
    `${places.get(single)} is about the one relay of --smtp, and ${relays} gives several: keep one of the two ways`,
  )
}
