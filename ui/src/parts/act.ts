import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { tell } from "./tell";

interface Act<T> {
  run: () => Promise<T>;
  /** What is said when it is done; nothing where the page itself shows it. */
  done?: (result: T) => string | undefined;
  close?: () => void;
  /** What is looked at again. */
  refresh: QueryKey[];
}

/** Something that a person does in a dialog: says that it is done, closes, and shows the lists as they are then. */
export function useAct<T>({ run, done, close, refresh }: Act<T>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: (result) => {
      const word = done?.(result);
      if (word) tell(word);
      close?.();
      return Promise.all(refresh.map((queryKey) => client.invalidateQueries({ queryKey })));
    },
  });
}

/** The state of an act, as a dialog needs it. */
export interface Doing {
  mutate: () => void;
  isPending: boolean;
  error: Error | null;
}
