import { describe, expect, test } from 'vitest'
import { findDestination, isConfidential } from '../../../src/core/destination.ts'

const allowed = new Set(['https://api.example.com', 'http://127.0.0.1:8080'])
const isAllowed = (url: string, allowedOrigins: ReadonlySet<string>) =>
  findDestination(url, undefined, { allowedOrigins, resources: [] }) !== undefined

describe('an access token', () => {
  test.each([
    'https://api.example.com',
    'https://api.example.com/',
    'https://api.example.com/me?a=b#c',
    'https://api.example.com:443/me',
    'https://API.EXAMPLE.COM/me',
    'https:\\\\api.example.com\\me',
    'http://127.0.0.1:8080/me',
  ])('may be sent to %s', url => {
    expect(isAllowed(url, allowed)).toBe(true)
  })

  test.each([
    'http://api.example.com/me',
    'https://api.example.com:8443/me',
    'https://api.example.com.evil.example/me',
    'https://evilapi.example.com/me',
    'https://sub.api.example.com/me',
    'https://example.com/me',
    'https://api.example.com./me',
    'https://api.example.com@evil.example/me',
    'https://user@api.example.com/me',
    'https://user:pass@api.example.com/me',
    'https://:pass@api.example.com/me',
    'https://evil.example/https://api.example.com/',
    'https://evil.example\\@api.example.com/',
    'https://аpi.example.com/me', // a Cyrillic letter
    'http://127.0.0.1:8081/me',
    'https://127.0.0.1:8080/me',
    'ws://127.0.0.1:8080/me',
    'file:///me',
    'data:text/plain,me',
  ])('may not be sent to %s [RQ03, RQ04]', url => {
    expect(isAllowed(url, allowed)).toBe(false)
  })

  test('may not be sent anywhere if nothing is allowed', () => {
    expect(isAllowed('https://api.example.com', new Set())).toBe(false)
    expect(isAllowed('file:///me', new Set(['https://api.example.com']))).toBe(false)
  })
})

describe('traffic', () => {
  test.each([
    'https://anything.example',
    'http://127.0.0.1',
    'http://127.8.9.10:3000',
    'http://localhost:5173',
    'http://acme.localhost',
    'http://tauri.localhost:1420',
    'http://[::1]:80',
    'http://2130706433', // 127.0.0.1 in another notation
  ])('to %s cannot be intercepted', url => {
    expect(isConfidential(new URL(url))).toBe(true)
  })

  test.each([
    'http://anything.example',
    'http://128.0.0.1',
    'http://127.0.0.1.evil.example',
    'http://localhost.evil.example',
    'http://evil-localhost',
    'http://[::2]',
    'http://192.168.0.1',
    'http://0.0.0.0',
    'ws://localhost',
    'ftp://localhost',
    'blob:https://api.example.com/1',
  ])('to %s can be intercepted', url => {
    expect(isConfidential(new URL(url))).toBe(false)
  })
})
