/** Homeport's mark: a house on the water. */
export function Mark({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0b6e8f" />
      <g fill="none" strokeLinecap="round" strokeLinejoin="round">
        <path d="M9 21.5V12l7-5 7 5v9.5" stroke="#fff" strokeWidth="2.5" />
        <path
          d="M6 24.4c2 0 2 1.3 4 1.3s2-1.3 4-1.3 2 1.3 4 1.3 2-1.3 4-1.3 2 1.3 4 1.3"
          stroke="#8fd9ec"
          strokeWidth="2"
        />
      </g>
      <circle cx="16" cy="16" r="2.5" fill="#8fd9ec" />
    </svg>
  );
}
