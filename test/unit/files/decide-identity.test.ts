import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deviceIdOf, identityProblem } from '../../../lib/files/decide-identity.ts'
import { addressOf, deviceOf } from '../support/documents.ts'

/** Made by `syncthing generate` of 1.29, which gives it this id. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIICHTCCAaKgAwIBAgIIN2QLtFF9s6owCgYIKoZIzj0EAwIwSjESMBAGA1UEChMJ
U3luY3RoaW5nMSAwHgYDVQQLExdBdXRvbWF0aWNhbGx5IEdlbmVyYXRlZDESMBAG
A1UEAxMJc3luY3RoaW5nMB4XDTI2MTEyNzAwMDAwMFoXDTQ2MTEyMjAwMDAwMFow
SjESMBAGA1UEChMJU3luY3RoaW5nMSAwHgYDVQQLExdBdXRvbWF0aWNhbGx5IEdl
bmVyYXRlZDESMBAGA1UEAxMJc3luY3RoaW5nMHYwEAYHKoZIzj0CAQYFK4EEACID
YgAEoibDaU7lrQ5rsxv4SMNUnnTFKpjZ9tWKIdwSLx18KEPbPMQvN4/YNenEKp7X
hm4gna9zY5QcqMxunAwrqPh64HAqLggnu4in2UYcihdp5K5232cU1F/u6cq9YGAA
s4Nao1UwUzAOBgNVHQ8BAf8EBAMCBaAwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsG
AQUFBwMCMAwGA1UdEwEB/wQCMAAwFAYDVR0RBA0wC4IJc3luY3RoaW5nMAoGCCqG
SM49BAMCA2kAMGYCMQC5W/cjWrshN7oU7l4pOzLpgtDLmSuzgXeX7W+PtwRomYV9
o8WEAss5T1Y7cIUqmrsCMQDj9yiC+pcP4yYCn1R3i4CX00ntHBuYa9J2ohaT+Ukv
7ytaBvy2aXflimtFhFZ1g5s=
-----END CERTIFICATE-----
`
const ID = '5XRIFI3-VW6FEPJ-TWYX3JW-6U5AV5C-DKSKUGY-LEWDGMJ-2LQZLDE-6YEMBQ5'

test('the id of a certificate is what Syncthing makes of it', () => assert.equal(deviceIdOf(CERTIFICATE), ID))

test('a machine with the id of another one is a copy of it; its own entry is none', () => {
  const member = (node: string) => ({
    schema: 1 as const,
    deviceId: deviceOf(node),
    address: addressOf(node),
  })
  const members = new Map(['n1', 'n2'].map((node) => [node, member(node)]))
  assert.match(identityProblem('n3', deviceOf('n1'), members) ?? '', /^n3 has the Syncthing identity of n1, /)
  assert.equal(identityProblem('n1', deviceOf('n1'), members), null)
  assert.equal(identityProblem('n3', deviceOf('n3'), members), null)
})
