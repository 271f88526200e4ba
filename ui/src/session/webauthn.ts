/** Bytes as base64url without padding (RFC 4648 5), as WebAuthn's JSON has them. */
export function toBase64url(bytes: ArrayBuffer | Uint8Array): string {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The bytes of base64url; padding and the letters of plain base64 are taken too. */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, ""));
  return Uint8Array.from(binary, (letter) => letter.charCodeAt(0));
}

interface Descriptor {
  id: string;
  type: "public-key";
  transports?: AuthenticatorTransport[];
}

/** `publicKey` as the portal sends it: what is binary comes as base64url. */
export interface CreationJson
  extends Omit<PublicKeyCredentialCreationOptions, "challenge" | "user" | "excludeCredentials"> {
  challenge: string;
  user: { id: string; name: string; displayName: string };
  excludeCredentials?: Descriptor[];
}
export interface RequestJson extends Omit<PublicKeyCredentialRequestOptions, "challenge" | "allowCredentials"> {
  challenge: string;
  allowCredentials?: Descriptor[];
}

const described = (list: Descriptor[] | undefined) => list?.map((one) => ({ ...one, id: fromBase64url(one.id) }));

export const creationOptions = (json: CreationJson): PublicKeyCredentialCreationOptions => ({
  ...json,
  challenge: fromBase64url(json.challenge),
  user: { ...json.user, id: fromBase64url(json.user.id) },
  excludeCredentials: described(json.excludeCredentials),
});

export const requestOptions = (json: RequestJson): PublicKeyCredentialRequestOptions => ({
  ...json,
  challenge: fromBase64url(json.challenge),
  allowCredentials: described(json.allowCredentials),
});

/** A credential as the portal takes it (WebAuthn 5.1, RegistrationResponseJSON and AuthenticationResponseJSON). */
export function credentialJson(credential: PublicKeyCredential): Record<string, unknown> {
  const { response } = credential;
  const given: Record<string, unknown> = { clientDataJSON: toBase64url(response.clientDataJSON) };
  if ("attestationObject" in response) {
    const made = response as AuthenticatorAttestationResponse;
    given.attestationObject = toBase64url(made.attestationObject);
    given.transports = made.getTransports?.() ?? [];
  } else {
    const signed = response as AuthenticatorAssertionResponse;
    given.authenticatorData = toBase64url(signed.authenticatorData);
    given.signature = toBase64url(signed.signature);
    given.userHandle = signed.userHandle ? toBase64url(signed.userHandle) : null;
  }
  return {
    id: credential.id,
    rawId: toBase64url(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: given,
  };
}

/** What the browser says when it gives no passkey, in words that say what to do. */
export function passkeyProblem(error: unknown): Error {
  const name = error instanceof Error ? error.name : "";
  const words: Record<string, string> = {
    NotAllowedError: "No passkey was used: it was cancelled, took too long, or there is none for this portal here.",
    InvalidStateError: "This device has a passkey for your account already.",
    SecurityError:
      "This browser does not allow passkeys at this address. Open the portal by its name, not by a number.",
    NotSupportedError: "This device cannot make the kind of passkey that the portal takes.",
  };
  const known = words[name];
  return known ? new Error(known) : error instanceof Error ? error : new Error(String(error));
}

/** Whether this browser knows passkeys at all. */
export const knowsPasskeys = () => typeof window !== "undefined" && "PublicKeyCredential" in window;

/** Asks the person for a passkey that the portal knows. */
export async function askForPasskey(json: RequestJson): Promise<Record<string, unknown>> {
  try {
    const credential = await navigator.credentials.get({ publicKey: requestOptions(json) });
    if (!(credential instanceof PublicKeyCredential)) throw new Error("This device gave no passkey.");
    return credentialJson(credential);
  } catch (error) {
    throw passkeyProblem(error);
  }
}

/** Has the device make a new passkey. */
export async function makePasskey(json: CreationJson): Promise<Record<string, unknown>> {
  try {
    const credential = await navigator.credentials.create({ publicKey: creationOptions(json) });
    if (!(credential instanceof PublicKeyCredential)) throw new Error("This device made no passkey.");
    return credentialJson(credential);
  } catch (error) {
    throw passkeyProblem(error);
  }
}
