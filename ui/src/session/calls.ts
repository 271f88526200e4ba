import { queryOptions } from "@tanstack/react-query";
import { call } from "../api/client";
import type { components } from "../api/schema";
import type { User } from "../api/types";
import type { RequestJson } from "./webauthn";

/** What everybody may know of how to come in. */
export type EntranceConfig = components["schemas"]["Config"];

export interface SignInForm {
  username: string;
  password: string;
  remember: boolean;
  /** Six digits, or a backup code. */
  totp_code?: string;
}

type SignedIn = { user: User };

export const entrance = {
  config: () => call<EntranceConfig>("GET", "/api/config"),
  signIn: (body: SignInForm) => call<SignedIn>("POST", "/api/auth/login", { body }),
  passkeyOptions: (username?: string) =>
    call<{ publicKey: RequestJson }>("POST", "/api/auth/passkey/options", { body: { username } }),
  /** With a password it is the second factor, without one it is all there is. */
  signInByPasskey: (body: {
    credential: Record<string, unknown>;
    username?: string;
    password?: string;
    remember: boolean;
  }) => call<SignedIn>("POST", "/api/auth/passkey", { body }),
  register: (body: { username: string; password: string; invite_code: string }) =>
    call<{ id: number; username: string; message: string }>("POST", "/api/register", { body }),
};

export const entranceQuery = queryOptions({
  queryKey: ["entrance"],
  queryFn: entrance.config,
  retry: false,
  staleTime: 60_000,
});
